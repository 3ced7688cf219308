//! Cleans messages of other servers before they are shown or logged.

use super::text::is_unprintable;

/// Longest message that is passed on, in characters.
const MAX_SENTENCE: usize = 500;

/// Returns one line of plain text: unprintable characters become spaces, white space is collapsed, and the end is cut
/// off. Returns `None` when the line is empty.
pub(crate) fn sentence(text: &str) -> Option<String> {
    let plain = |c: char| if is_unprintable(c) { ' ' } else { c };
    let mut line = String::new();
    let mut length = 0;
    for word in text.chars().take(MAX_SENTENCE * 4).map(plain).collect::<String>().split_whitespace() {
        let left = MAX_SENTENCE.saturating_sub(length);
        if left < 2 {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
            length += 1;
        }
        let before = line.len();
        line.extend(word.chars().take(left - 1));
        length += line[before..].chars().count();
    }
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_becomes_one_short_line() {
        assert_eq!(sentence(" Not\tfound.\r\n\u{1b}[31m "), Some("Not found. [31m".to_owned()));
        assert_eq!(sentence("\u{202e}\n"), None);
        assert!(sentence(&"ä ".repeat(5_000)).unwrap().chars().count() <= MAX_SENTENCE);
        assert!(sentence(&"ä".repeat(5_000)).unwrap().chars().count() <= MAX_SENTENCE);
    }
}
