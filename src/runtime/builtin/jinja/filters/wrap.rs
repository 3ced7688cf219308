//! The filter `wordwrap`, which splits lines like Python's `textwrap`.

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, flag, size, text},
    jinja::error::{Result, failed},
    jinja::methods::lines,
    jinja::repr::to_text,
    jinja::state::RenderState,
    jinja::text::TextBuilder,
    jinja::value::PyValue,
};

/// Widest line, in characters; no text is longer.
const MAX_WIDTH: usize = 1 << 30;

pub(super) fn wordwrap(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let names = ["width", "break_long_words", "wrapstring", "break_on_hyphens"];
    let [width, break_long_words, separator, break_on_hyphens] = arguments.bind("wordwrap", names, 0)?;
    let width = size(width.as_ref(), 79)?.min(MAX_WIDTH);
    if width == 0 {
        return Err(failed("invalid width 0 (must be > 0)"));
    }
    let separator = text(separator)?;
    let wrapper = Wrapper {
        width,
        breaks_words: break_long_words.is_none() || flag(break_long_words.as_ref()),
        breaks_hyphens: break_on_hyphens.is_none() || flag(break_on_hyphens.as_ref()),
        separator: separator.as_deref().unwrap_or("\n"),
    };
    let source = to_text(&state.heap, value)?;
    let mut out = state.heap.builder();
    for (at, (line, _)) in lines(&source).enumerate() {
        if at > 0 {
            out.push_str(wrapper.separator)?;
        }
        wrapper.wrap(&mut out, &source[line])?;
    }
    Ok(PyValue::Text(out.finish()?))
}

struct Wrapper<'a> {
    width: usize,
    breaks_words: bool,
    breaks_hyphens: bool,
    separator: &'a str,
}

impl Wrapper<'_> {
    /// Appends the lines of one line.
    fn wrap(&self, out: &mut TextBuilder<'_>, line: &str) -> Result<()> {
        out.budget().produce(line.len().saturating_mul(32))?;
        out.budget().memory().give_back(line.len().saturating_mul(32));
        let mut chunks = chunks(line, self.breaks_hyphens);
        chunks.reverse();
        let mut is_first = true;
        while !chunks.is_empty() {
            // White space at the start of a line is dropped, but for the first one.
            if !is_first && chunks.last().is_some_and(|chunk| chunk.trim_matches(is_blank).is_empty()) {
                chunks.pop();
            }
            let mut current: Vec<&str> = Vec::new();
            let mut length = 0;
            while let Some(chunk) = chunks.last() {
                let more = chunk.chars().take(self.width + 1).count();
                out.budget().read(more)?;
                if length + more > self.width {
                    break;
                }
                current.push(chunk);
                length += more;
                chunks.pop();
            }
            if let Some(chunk) = chunks.last().copied()
                && chunk.chars().nth(self.width).is_some()
            {
                self.break_word(chunk, &mut chunks, &mut current, self.width - length);
            }
            if current.last().is_some_and(|chunk| chunk.trim_matches(is_blank).is_empty()) {
                current.pop();
            }
            if current.is_empty() {
                continue;
            }
            if !is_first {
                out.push_str(self.separator)?;
            }
            is_first = false;
            for chunk in current {
                out.push_str(chunk)?;
            }
        }
        Ok(())
    }

    /// Puts a part of a word that is longer than a line on the line at hand.
    fn break_word<'a>(&self, chunk: &'a str, chunks: &mut Vec<&'a str>, current: &mut Vec<&'a str>, room: usize) {
        if !self.breaks_words {
            if current.is_empty() {
                current.push(chunk);
                chunks.pop();
            }
            return;
        }
        let room = if room == 0 && current.is_empty() { 1 } else { room };
        let mut end = chunk.char_indices().nth(room).map_or(chunk.len(), |(byte, _)| byte);
        if self.breaks_hyphens
            && let Some(hyphen) = chunk[..end].rfind('-')
            && hyphen > 0
            && chunk[..hyphen].contains(|character| character != '-')
        {
            end = hyphen + 1;
        }
        current.push(&chunk[..end]);
        if let Some(last) = chunks.last_mut() {
            *last = &chunk[end..];
        }
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// Words and the white space between them; words are split after hyphens between letters and at dashes.
fn chunks(line: &str, at_hyphens: bool) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let is_space = is_blank(first);
        let end = rest.find(|character| is_blank(character) != is_space).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if is_space || !at_hyphens {
            chunks.push(run);
        } else {
            split_word(run, &mut chunks);
        }
        rest = after;
    }
    chunks
}

fn split_word<'a>(word: &'a str, chunks: &mut Vec<&'a str>) {
    let characters: Vec<(usize, char)> = word.char_indices().collect();
    let at = |index: usize| characters.get(index).map(|(_, character)| *character);
    let is_letter = |index: Option<usize>| index.and_then(at).is_some_and(char::is_alphabetic);
    let is_word = |index: usize| at(index).is_some_and(|character| character == '_' || character.is_alphanumeric());
    let mut start = 0;
    let mut index = 0;
    while index < characters.len() {
        if at(index) != Some('-') {
            index += 1;
            continue;
        }
        let dashes = (index..characters.len()).take_while(|index| at(*index) == Some('-')).count();
        let before = index.checked_sub(1);
        let ends_word = before
            .and_then(at)
            .is_some_and(|character| character == '_' || character.is_alphanumeric() || "!\"'&.,?".contains(character));
        if dashes >= 2 {
            if ends_word && is_word(index + dashes) {
                chunks.push(&word[start..characters[index].0]);
                start = characters[index + dashes].0;
                chunks.push(&word[characters[index].0..start]);
            }
            index += dashes;
            continue;
        }
        let two_letters = is_letter(before) && is_letter(index.checked_sub(2));
        let letter_hyphen_letter =
            is_letter(before) && index.checked_sub(2).and_then(at) == Some('-') && is_letter(index.checked_sub(3));
        let after = is_letter(Some(index + 1))
            && (is_letter(Some(index + 2)) || (at(index + 2) == Some('-') && is_letter(Some(index + 3))));
        index += 1;
        if (two_letters || letter_hyphen_letter) && after {
            let end = characters[index].0;
            if characters[index - 1].0 > start {
                chunks.push(&word[start..end]);
                start = end;
            }
        }
    }
    if start < word.len() {
        chunks.push(&word[start..]);
    }
}
