//! What other servers say, before anything of it is shown to anybody.

use crate::domain::text::is_unprintable;

/// The longest sentence that is passed on, in characters.
const LONGEST_SENTENCE: usize = 500;

/// One line of plain text: unprintable characters become blanks, blanks are folded, the rest is cut off. `None`
/// when nothing is left.
pub(crate) fn sentence(text: &str) -> Option<String> {
    let plain = |c: char| if is_unprintable(c) { ' ' } else { c };
    let mut line = String::new();
    let mut length = 0;
    for word in text.chars().take(LONGEST_SENTENCE * 4).map(plain).collect::<String>().split_whitespace() {
        let room = LONGEST_SENTENCE.saturating_sub(length);
        if room < 2 {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
            length += 1;
        }
        let before = line.len();
        line.extend(word.chars().take(room - 1));
        length += line[before..].chars().count();
    }
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_one_short_line() {
        assert_eq!(sentence(" Not\tfound.\r\n\u{1b}[31m "), Some("Not found. [31m".to_owned()));
        assert_eq!(sentence("\u{202e}\n"), None);
        assert!(sentence(&"ä ".repeat(5_000)).unwrap().chars().count() <= LONGEST_SENTENCE);
        assert!(sentence(&"ä".repeat(5_000)).unwrap().chars().count() <= LONGEST_SENTENCE);
    }
}
