//! Splits a template into tokens as Jinja2's lexer does, one at a time.

mod number;
mod spaces;
mod string;

pub(super) use self::spaces::is_space;
use self::spaces::{raw_start, tag_end, tag_start};
use super::{
    error::{Result, syntax, unsupported},
    token::Token,
};

/// Longer operators stand before their beginnings.
const OPERATORS: [&str; 28] = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";", "!", "&",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Text,
    Output,
    Tag,
}

pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: u32,
    mode: Mode,
    /// The brackets that are open in the tag.
    brackets: Vec<&'static str>,
    /// A tag that starts after the text that was returned last.
    pending: Option<Token<'s>>,
}

impl<'s> Lexer<'s> {
    /// `source` has only LF as ends of lines.
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, at: 0, line: 1, mode: Mode::Text, brackets: Vec::new(), pending: None }
    }

    pub(super) fn next_token(&mut self) -> Result<(Token<'s>, u32)> {
        if let Some(token) = self.pending.take() {
            return Ok((token, self.line));
        }
        loop {
            if self.at >= self.source.len() {
                return Ok((Token::End, self.line));
            }
            let found = if self.mode == Mode::Text { self.text()? } else { self.inside()? };
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn advance(&mut self, bytes: usize) -> &'s str {
        let passed = &self.source[self.at..self.at + bytes];
        let lines = passed.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at += bytes;
        passed
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.advance(rest.len() - rest.trim_start_matches(is_space).len());
    }

    /// Text up to the next tag, and the start of the tag.
    fn text(&mut self) -> Result<Option<(Token<'s>, u32)>> {
        let line = self.line;
        let rest = self.rest();
        let Some(start) = tag_start(rest) else {
            return Ok(Some((Token::Data(self.advance(rest.len())), line)));
        };
        let mut data = self.advance(start);
        let opening = self.advance(2);
        let sign = if self.rest().starts_with(['-', '+']) { self.advance(1) } else { "" };
        if sign == "-" {
            data = data.trim_end_matches(is_space);
        }
        let token = match opening {
            "{#" => {
                self.comment()?;
                None
            }
            "{{" => {
                self.mode = Mode::Output;
                Some(Token::OutputStart)
            }
            _ => {
                if let Some(length) = raw_start(self.rest()) {
                    self.advance(length);
                    let raw = self.raw()?;
                    (!raw.is_empty()).then_some(Token::Data(raw))
                } else {
                    self.mode = Mode::Tag;
                    Some(Token::TagStart)
                }
            }
        };
        if data.is_empty() {
            return Ok(token.map(|token| (token, self.line)));
        }
        self.pending = token;
        Ok(Some((Token::Data(data), line)))
    }

    fn comment(&mut self) -> Result<()> {
        let line = self.line;
        let rest = self.rest();
        let end = rest.find("#}").ok_or_else(|| syntax(line, "the comment is not closed; add '#}'"))?;
        let strips = rest[..end].ends_with('-');
        self.advance(end + 2);
        if strips {
            self.skip_spaces();
        }
        Ok(())
    }

    /// The content of a raw block, up to and with `{% endraw %}`.
    fn raw(&mut self) -> Result<&'s str> {
        let line = self.line;
        let rest = self.rest();
        let mut from = 0;
        while let Some(found) = rest[from..].find("{%") {
            let open = from + found;
            from = open + 2;
            let sign = usize::from(rest[from..].starts_with(['-', '+']));
            let Some(after) = rest[from + sign..].trim_start_matches(is_space).strip_prefix("endraw") else { continue };
            let after = after.trim_start_matches(is_space);
            let Some((end, strips)) = tag_end(after) else { continue };
            let mut content = &rest[..open];
            if rest[from..].starts_with('-') {
                content = content.trim_end_matches(is_space);
            }
            self.advance(rest.len() - after.len() + end);
            if strips {
                self.skip_spaces();
            }
            return Ok(content);
        }
        Err(syntax(line, "the raw block is not closed; add '{% endraw %}'"))
    }

    /// A token inside of a tag; `None` for white space.
    fn inside(&mut self) -> Result<Option<(Token<'s>, u32)>> {
        let line = self.line;
        if self.brackets.is_empty()
            && let Some(token) = self.end()
        {
            return Ok(Some((token, line)));
        }
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        if is_space(first) {
            self.skip_spaces();
            return Ok(None);
        }
        let token = if first.is_ascii_digit() {
            self.number()?
        } else if first == '\'' || first == '"' {
            self.string(first)?
        } else if first == '_' || first.is_alphanumeric() {
            let end = rest.find(|other: char| other != '_' && !other.is_alphanumeric()).unwrap_or(rest.len());
            Token::Name(self.advance(end))
        } else {
            self.operator(first)?
        };
        Ok(Some((token, line)))
    }

    /// The end of the tag, when it stands here.
    fn end(&mut self) -> Option<Token<'s>> {
        let rest = self.rest();
        let (length, strips, token) = if self.mode == Mode::Tag {
            let (length, strips) = tag_end(rest)?;
            (length, strips, Token::TagEnd)
        } else if rest.starts_with("-}}") {
            (3, true, Token::OutputEnd)
        } else if rest.starts_with("}}") {
            (2, false, Token::OutputEnd)
        } else {
            return None;
        };
        self.advance(length);
        if strips {
            self.skip_spaces();
        }
        self.mode = Mode::Text;
        Some(token)
    }

    fn operator(&mut self, first: char) -> Result<Token<'s>> {
        let found = OPERATORS.into_iter().find(|operator| self.rest().starts_with(operator));
        let Some(operator) = found.filter(|operator| !matches!(*operator, "!" | "&")) else {
            return Err(syntax(self.line, format!("unexpected character {first:?}")));
        };
        match operator {
            "(" => self.brackets.push(")"),
            "[" => self.brackets.push("]"),
            "{" => self.brackets.push("}"),
            ")" | "]" | "}" => match self.brackets.pop() {
                Some(expected) if expected == operator => {}
                Some(expected) => {
                    return Err(syntax(self.line, format!("unexpected '{operator}', expected '{expected}'")));
                }
                None => return Err(syntax(self.line, format!("unexpected '{operator}'"))),
            },
            _ => {}
        }
        self.advance(operator.len());
        Ok(Token::Operator(operator))
    }

    fn number(&mut self) -> Result<Token<'s>> {
        let after_dot = self.source[..self.at].ends_with('.');
        let (length, number) = number::read(self.rest(), after_dot)
            .ok_or_else(|| unsupported(self.line, "the number is too large here; use at most 38 digits"))?;
        self.advance(length);
        Ok(number)
    }

    fn string(&mut self, quote: char) -> Result<Token<'s>> {
        let line = self.line;
        let length = string::length(self.rest(), quote)
            .ok_or_else(|| syntax(line, format!("the string is not closed; add {quote}")))?;
        let literal = self.advance(length);
        string::unescape(&literal[1..length - 1], line).map(Token::Text)
    }
}
