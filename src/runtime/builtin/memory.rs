//! What a conversation remembers: its last exchanges, bounded in number and in tokens.

use super::model::{PromptMessage, Role};
use crate::domain::conversation::Exchange;

/// Exchanges that are remembered at most, and so that are read at most.
pub(super) const EXCHANGES: u16 = 50;
/// Tokens that are remembered at most, as [`tokens`] counts them. What an endpoint's models hold is unknown here; this
/// leaves room for a prompt and an answer in the smallest that are in use.
pub(super) const TOKENS: u64 = 4_000;
/// Characters of a text that are read at most: one more than can fit, so that what is cut off does not.
pub(super) const CHARACTERS: i32 = 16_001;

/// The exchanges as lines of a prompt, oldest first: as many of the newest as fit, whole, so that no answer stands
/// without its query.
pub(super) fn remembered(exchanges: &[Exchange]) -> Vec<PromptMessage> {
    let mut left = TOKENS;
    let fitting = exchanges.iter().rev().take(usize::from(EXCHANGES)).take_while(|exchange| {
        let cost = tokens(&exchange.query) + tokens(&exchange.answer);
        let fits = cost <= left;
        left = left.saturating_sub(cost);
        fits
    });
    let kept = fitting.count();
    let line = |role, text: &String| PromptMessage { role, text: text.clone() };
    exchanges[exchanges.len() - kept..]
        .iter()
        .flat_map(|exchange| [line(Role::User, &exchange.query), line(Role::Assistant, &exchange.answer)])
        .collect()
}

/// About how many tokens a text takes: four ASCII characters one, every other character one. Used where nobody counts
/// better: for the memory, and for usage that an endpoint does not tell.
pub(super) fn tokens(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let other = text.chars().filter(|symbol| !symbol.is_ascii()).count() as u64;
    ascii.div_ceil(4) + other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(query: &str, answer: &str) -> Exchange {
        Exchange { query: query.to_owned(), answer: answer.to_owned() }
    }

    #[test]
    fn the_newest_exchanges_that_fit_are_remembered_whole_and_in_order() {
        assert_eq!(remembered(&[]), []);
        let short = [exchange("a", "b"), exchange("c", "d")];
        let texts: Vec<String> = remembered(&short).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["a", "b", "c", "d"]);
        // 2,001 tokens each: only one fits, and the one before it is not cut in half.
        let long = exchange(&"q".repeat(4_000), &"é".repeat(1_001));
        let lines = remembered(&[exchange("a", "b"), long.clone(), long.clone()]);
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].role, lines[1].role), (Role::User, Role::Assistant));
        // One that fits behind one that does not is not remembered either: there are no holes.
        let lines = remembered(&[exchange("a", "b"), exchange(&"q".repeat(20_000), "x"), exchange("c", "d")]);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].text, "c");
    }

    #[test]
    fn exchanges_are_bounded_in_number() {
        let many: Vec<Exchange> = (0..500).map(|n| exchange(&n.to_string(), "x")).collect();
        let lines = remembered(&many);
        assert_eq!(lines.len(), 100);
        assert_eq!(lines[98].text, "499");
    }

    #[test]
    fn what_was_cut_off_when_it_was_read_is_not_remembered() {
        let characters = usize::try_from(CHARACTERS).unwrap();
        assert!(tokens(&"x".repeat(characters)) > TOKENS);
        assert!(tokens(&"x".repeat(characters - 1)) == TOKENS);
    }

    #[test]
    fn tokens_are_estimated_from_characters() {
        assert_eq!((tokens(""), tokens("word"), tokens("words"), tokens("你好"), tokens("é a")), (0, 1, 2, 2, 2));
    }
}
