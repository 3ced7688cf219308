//! Separates a model's reasoning, `<think>…</think>`, from its text.

/// Longest attributes of an opening tag, in characters.
const MAX_ATTRIBUTES: usize = 512;
const OPEN: &str = "<think";
const CLOSE: &str = "</think>";

/// Removes the reasoning from a text that arrives in parts.
#[derive(Debug, Default)]
pub(super) struct ReasoningFilter {
    is_inside: bool,
    /// The end of the parts so far, which may be the beginning of a tag.
    held: String,
    /// Whether text other than blanks has been returned: blanks before it are removed.
    has_text: bool,
}

impl ReasoningFilter {
    /// Adds a part, and returns the text that is certainly not part of the reasoning.
    pub(super) fn push(&mut self, part: &str) -> String {
        self.held.push_str(part);
        let mut text = String::new();
        let mut rest = std::mem::take(&mut self.held);
        loop {
            let found = if self.is_inside { find_close(&rest) } else { find_open(&rest) };
            if let Some((start, end)) = found {
                if !self.is_inside {
                    text.push_str(&rest[..start]);
                }
                self.is_inside = !self.is_inside;
                rest.drain(..end);
                continue;
            }
            let held = if self.is_inside { beginning_of_close(&rest) } else { beginning_of_open(&rest) };
            self.held = rest.split_off(rest.len() - held);
            if !self.is_inside {
                text.push_str(&rest);
            }
            return self.without_leading_blanks(text);
        }
    }

    /// The rest of the text, after the last part. Reasoning that has no end is dropped.
    pub(super) fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.held);
        if self.is_inside { String::new() } else { self.without_leading_blanks(rest) }
    }

    fn without_leading_blanks(&mut self, text: String) -> String {
        if self.has_text {
            return text;
        }
        let text = text.trim_start().to_owned();
        self.has_text = !text.is_empty();
        text
    }
}

/// The text without its reasoning, and the reasoning. Reasoning without an end reaches to the end of the text.
pub(super) fn split(text: &str) -> (String, String) {
    let (mut clean, mut reasoning) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((start, end)) = find_open(rest) {
        clean.push_str(&rest[..start]);
        let inside = &rest[end..];
        let (length, after) = find_close(inside).unwrap_or((inside.len(), inside.len()));
        reasoning.push(inside[..length].trim());
        rest = &inside[after..];
    }
    clean.push_str(rest);
    reasoning.retain(|part| !part.is_empty());
    (with_single_blank_lines(clean.trim()), reasoning.join("\n"))
}

/// Start and end of the first opening tag.
fn find_open(text: &str) -> Option<(usize, usize)> {
    text.match_indices('<').find_map(|(start, _)| {
        let tag = strip_prefix_ignoring_case(&text[start..], OPEN)?;
        let length = match tag.chars().next()? {
            '>' => 0,
            first if first.is_whitespace() => {
                let attributes = &tag[first.len_utf8()..];
                let mut characters = attributes.char_indices().take(MAX_ATTRIBUTES + 1);
                let (end, _) = characters.find(|(_, character)| matches!(character, '<' | '>'))?;
                attributes[end..].starts_with('>').then_some(first.len_utf8() + end)?
            }
            _ => return None,
        };
        Some((start, start + OPEN.len() + length + ">".len()))
    })
}

/// Start and end of the first closing tag.
fn find_close(text: &str) -> Option<(usize, usize)> {
    let is_close = |start: &usize| strip_prefix_ignoring_case(&text[*start..], CLOSE).is_some();
    let start = text.match_indices('<').map(|(start, _)| start).find(is_close)?;
    Some((start, start + CLOSE.len()))
}

/// Length of the end of a text that may be the beginning of an opening tag, in bytes.
fn beginning_of_open(text: &str) -> usize {
    let Some(start) = text.rfind('<') else { return 0 };
    let tail = &text[start..];
    let may_open = match strip_prefix_ignoring_case(tail, OPEN) {
        Some(rest) => {
            !rest.contains('>')
                && rest.chars().next().is_none_or(char::is_whitespace)
                && rest.chars().count() <= MAX_ATTRIBUTES + 1
        }
        None => strip_prefix_ignoring_case(OPEN, tail).is_some(),
    };
    if may_open { tail.len() } else { 0 }
}

/// Length of the end of a text that may be the beginning of a closing tag, in bytes.
fn beginning_of_close(text: &str) -> usize {
    let tail = text.rfind('<').map_or("", |start| &text[start..]);
    if strip_prefix_ignoring_case(CLOSE, tail).is_some() { tail.len() } else { 0 }
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Reduces several line breaks with blanks between them to two.
fn with_single_blank_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\n') {
        let run = &rest[start..];
        let length = run.find(|character: char| !character.is_whitespace()).unwrap_or(run.len());
        let last = run[..length].rfind('\n').unwrap_or_default();
        out.push_str(&rest[..start]);
        out.push_str(if last > 0 { "\n\n" } else { "\n" });
        rest = &run[last + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reasoning_is_split_from_the_text() {
        for (text, clean, reasoning) in [
            ("<think>\nhm\n</think>\n\nYes.", "Yes.", "hm"),
            ("A <THINK a='b'>x</Think> B<think>y</think>", "A  B", "x\ny"),
            ("A\n\n  \n\nB <think></think>", "A\n\nB", ""),
            ("A <think>cut off", "A", "cut off"),
            ("a < b <thinker> </think>", "a < b <thinker> </think>", ""),
            ("a\nb", "a\nb", ""),
        ] {
            assert_eq!(split(text), (clean.to_owned(), reasoning.to_owned()), "{text}");
        }
    }

    #[test]
    fn streamed_text_has_no_reasoning_wherever_its_parts_are_split() {
        let text = " <think>secret < </thin </think>\n\nYes < no <thing <think x>more</think> end <thi";
        for length in 1..=text.len() {
            let mut filter = ReasoningFilter::default();
            let parts = text.as_bytes().chunks(length).map(|part| std::str::from_utf8(part).unwrap());
            let mut streamed: String = parts.map(|part| filter.push(part)).collect();
            streamed.push_str(&filter.finish());
            assert_eq!(streamed, "Yes < no <thing  end <thi", "parts of {length}");
        }
    }

    proptest! {
        #[test]
        fn streamed_text_is_the_split_text_up_to_blanks(
            parts in prop::collection::vec("(<think>|</think>|<think |[<>/thinkA ]{0,3})", 0..12),
        ) {
            let mut filter = ReasoningFilter::default();
            let mut streamed: String = parts.iter().map(|part| filter.push(part)).collect();
            streamed.push_str(&filter.finish());
            let without_blanks = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(without_blanks(&streamed), without_blanks(&split(&parts.concat()).0));
        }
    }
}
