//! Characters that text from outside must not bring along.

/// Whether a character is a control character or one of Unicode's invisible and bidirectional marks, which hide text or
/// make it read in another order than it is stored: zero-width characters, embeddings, overrides, isolates, and the
/// line and paragraph separators.
pub(crate) fn is_unprintable(symbol: char) -> bool {
    let is_mark = matches!(
        symbol,
        '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}'
    );
    is_mark || symbol.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_invisible_marks_are_unprintable() {
        for symbol in ['\0', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{200b}', '\u{200e}', '\u{202e}', '\u{2066}'] {
            assert!(is_unprintable(symbol), "{symbol:?}");
        }
        for symbol in ['a', ' ', '\u{a0}', 'ä', '你', '\u{2010}', '\u{2027}', '\u{202f}', '😀'] {
            assert!(!is_unprintable(symbol), "{symbol:?}");
        }
    }
}
