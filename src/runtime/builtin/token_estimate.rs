//! An estimate of the tokens in a text, for prompts that must fit and for endpoints that report no usage.

/// About as many tokens as the text takes: one for every four ASCII characters and one for every other character.
pub(crate) fn estimate_tokens(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let other = text.chars().filter(|symbol| !symbol.is_ascii()).count() as u64;
    ascii.div_ceil(4) + other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_estimated_from_characters() {
        let estimates = ["", "word", "words", "你好", "é a"].map(estimate_tokens);
        assert_eq!(estimates, [0, 1, 2, 2, 2]);
    }
}
