//! The part of a conversation that its next prompt contains: the last exchanges, limited in number and in tokens.

use super::{
    model::{PromptMessage, PromptRole},
    token_estimate::estimate_tokens,
};
use crate::domain::conversation::Exchange;

/// Largest number of exchanges in a prompt, and so of exchanges that are read.
pub(super) const MAX_EXCHANGES: u16 = 50;
/// Largest number of tokens in a prompt's history. The context length of an endpoint's models is unknown here; this
/// leaves room for a prompt and an answer in the smallest models in use.
const MAX_TOKENS: u64 = 4_000;
/// Number of characters that are read of each text: one more than can fit, so that a text that was cut never fits.
pub(super) const MAX_CHARACTERS: i32 = 16_001;

/// The exchanges as prompt messages, oldest first: as many of the newest as fit. An exchange is kept whole or not at
/// all, so that each answer follows its query.
pub(super) fn prompt_messages(exchanges: &[Exchange]) -> Vec<PromptMessage> {
    let mut left = MAX_TOKENS;
    let fitting = exchanges.iter().rev().take(usize::from(MAX_EXCHANGES)).take_while(|exchange| {
        let cost = estimate_tokens(&exchange.query) + estimate_tokens(&exchange.answer);
        let fits = cost <= left;
        left = left.saturating_sub(cost);
        fits
    });
    let kept = fitting.count();
    let message = |role, text: &String| PromptMessage::new(role, text.clone());
    exchanges[exchanges.len() - kept..]
        .iter()
        .flat_map(|exchange| {
            [message(PromptRole::User, &exchange.query), message(PromptRole::Assistant, &exchange.answer)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(query: &str, answer: &str) -> Exchange {
        Exchange { query: query.to_owned(), answer: answer.to_owned() }
    }

    #[test]
    fn newest_exchanges_that_fit_are_kept_whole_and_in_order() {
        assert_eq!(prompt_messages(&[]), []);
        let short = [exchange("a", "b"), exchange("c", "d")];
        let texts: Vec<String> = prompt_messages(&short).into_iter().map(|message| message.text).collect();
        assert_eq!(texts, ["a", "b", "c", "d"]);
        // 2,001 tokens each: only one fits, and the one before it is not cut in half.
        let long = exchange(&"q".repeat(4_000), &"é".repeat(1_001));
        let messages = prompt_messages(&[exchange("a", "b"), long.clone(), long.clone()]);
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].role, messages[1].role), (PromptRole::User, PromptRole::Assistant));
        // An exchange that is older than one that does not fit is left out, too: the history has no gaps.
        let messages = prompt_messages(&[exchange("a", "b"), exchange(&"q".repeat(20_000), "x"), exchange("c", "d")]);
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].text, "c");
    }

    #[test]
    fn number_of_exchanges_is_limited() {
        let many: Vec<Exchange> = (0..500).map(|n| exchange(&n.to_string(), "x")).collect();
        let messages = prompt_messages(&many);
        assert_eq!(messages.len(), 100);
        assert_eq!(messages[98].text, "499");
    }

    #[test]
    fn text_that_was_cut_when_read_never_fits() {
        let characters = usize::try_from(MAX_CHARACTERS).unwrap();
        assert!(estimate_tokens(&"x".repeat(characters)) > MAX_TOKENS);
        assert!(estimate_tokens(&"x".repeat(characters - 1)) == MAX_TOKENS);
    }
}
