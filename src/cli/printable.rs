//! Text for a terminal.

use std::fmt::{self, Write as _};

use crate::domain::text::is_unprintable;

/// Text with unprintable characters escaped, like `\u{1b}`. Users choose names and labels, and a terminal would execute
/// control sequences in them.
pub(super) struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(is_unprintable) {
            match part.char_indices().next_back() {
                Some((start, last)) if is_unprintable(last) => {
                    self.0.write_str(&part[..start])?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                _ => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_has_no_control_sequence_and_no_line_break() {
        let name = "Ada\u{1b}]0;title\u{7}\nforged\u{202e}line\r\u{9b}31m äöü 你好";
        let expected = "1  Ada\\u{1b}]0;title\\u{7}\\nforged\\u{202e}line\\r\\u{9b}31m äöü 你好";
        assert_eq!(Printable(format_args!("1  {name}")).to_string(), expected);
    }
}
