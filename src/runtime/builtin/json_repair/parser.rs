//! Parses JSON and continues where it is invalid. Every step consumes at least one character.

use serde_json::{Map, Value};

use super::literal;

/// Deepest nesting of objects and lists.
const MAX_DEPTH: usize = 100;
/// Number of bytes that are searched for the next key, which decides whether a quote or a comma ends a value or is
/// inside it.
const LOOKAHEAD: usize = 128;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    List,
}

/// What a text in quotes is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Key,
    Member,
    Item,
}

pub(super) struct RepairParser<'t> {
    text: &'t str,
    /// Position in the text, in bytes.
    at: usize,
    /// The containers around the position, outermost first.
    open: Vec<Container>,
}

impl<'t> RepairParser<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, open: Vec::new() }
    }

    /// Skips to the next object or list; `false` when there is none.
    pub(super) fn skip_to_container(&mut self) -> bool {
        match self.rest().find(['{', '[']) {
            Some(length) => {
                self.at += length;
                true
            }
            None => false,
        }
    }

    /// The value at the position; `None` when it is nested too deeply.
    pub(super) fn value(&mut self) -> Option<Value> {
        self.skip_blank();
        match self.peek() {
            Some('{') => self.object(),
            Some('[') => self.list(),
            Some(quote) if closing_quote(quote).is_some() => {
                let in_object = self.open.last() == Some(&Container::Object);
                Some(Value::String(self.quoted(if in_object { Place::Member } else { Place::Item })))
            }
            _ => Some(literal::read(self.unquoted())),
        }
    }

    fn object(&mut self) -> Option<Value> {
        self.open_container(Container::Object)?;
        let mut members = Map::new();
        loop {
            self.skip_separators();
            match self.peek() {
                None => break,
                Some('}') => {
                    self.bump();
                    break;
                }
                // The brace is missing: the bracket ends a list around the object.
                Some(']') if self.is_inside(Container::List) => break,
                Some(':' | ']' | '[' | '{') => {
                    self.bump();
                    continue;
                }
                Some(_) => {}
            }
            let key = self.key();
            self.skip_blank();
            if self.peek() == Some(':') {
                self.bump();
                self.skip_blank();
                let value = match self.peek() {
                    None | Some(',' | '}' | ']') => Value::String(String::new()),
                    Some(_) => self.value()?,
                };
                members.insert(key, value);
            }
        }
        self.open.pop();
        Some(Value::Object(members))
    }

    fn list(&mut self) -> Option<Value> {
        self.open_container(Container::List)?;
        let mut items = Vec::new();
        loop {
            self.skip_separators();
            match self.peek() {
                None => break,
                Some(']') => {
                    self.bump();
                    break;
                }
                Some('}') if self.is_inside(Container::Object) => {
                    // Members that follow belong to the object around the list: the brace stands for the bracket.
                    // Otherwise, the bracket is missing, and the brace ends the object.
                    let after = window(&self.rest()[1..]).trim_start();
                    if after.strip_prefix(',').is_some_and(|after| starts_with_key(after.trim_start())) {
                        self.bump();
                    }
                    break;
                }
                // Models shorten lists with an ellipsis.
                Some('…' | ':' | '}') => {
                    self.bump();
                }
                Some('.') if self.rest().starts_with("...") => self.at += "...".len(),
                Some(_) => items.push(self.value()?),
            }
        }
        self.open.pop();
        Some(Value::Array(items))
    }

    fn key(&mut self) -> String {
        if self.peek().is_some_and(|quote| closing_quote(quote).is_some()) {
            return self.quoted(Place::Key);
        }
        let rest = self.rest();
        let length = rest.find([':', ',', '}', '\n']).unwrap_or(rest.len());
        self.at += length;
        rest[..length].trim().to_owned()
    }

    /// A text in quotes, without them. A missing quote ends the text at the end of everything.
    fn quoted(&mut self, place: Place) -> String {
        let Some(close) = self.bump().and_then(closing_quote) else { return String::new() };
        let mut text = String::new();
        while let Some(character) = self.bump() {
            match character {
                '\\' => self.escape(&mut text),
                character if character == close && self.ends_text(place) => return text,
                character => text.push(character),
            }
        }
        // What closes the containers around was taken for text.
        let mut depth = self.open.len();
        let mut end = text.trim_end();
        while depth > 0
            && let Some(shorter) = end.strip_suffix(['}', ']'])
        {
            (depth, end) = (depth - 1, shorter.trim_end());
        }
        end.to_owned()
    }

    /// Whether the quote before the position ends a text, and is not part of it.
    fn ends_text(&self, place: Place) -> bool {
        let window = window(self.rest());
        let after = window.trim_start();
        let is_blank = after.len() < window.len();
        match (place, after.chars().next()) {
            (Place::Key, _) | (_, None | Some('}' | ']')) | (Place::Item, Some(',')) => true,
            (_, Some('/' | '#')) => after.starts_with("//") || after.starts_with("/*") || after.starts_with('#'),
            (Place::Member, Some(',')) => ends_member(&after[1..]),
            (Place::Member, Some(_)) => is_blank && starts_with_key(after),
            (Place::Item, Some(next)) => {
                is_blank && (closing_quote(next).is_some() || next.is_ascii_digit() || matches!(next, '{' | '['))
            }
        }
    }

    fn escape(&mut self, text: &mut String) {
        let Some(character) = self.bump() else { return text.push('\\') };
        match character {
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            '"' | '\'' | '\\' | '/' => text.push(character),
            'u' => match self.code_unit() {
                Some(high @ 0xd800..=0xdbff) if self.rest().starts_with("\\u") => {
                    self.at += 2;
                    let low = self.code_unit().unwrap_or_default();
                    text.push(char::decode_utf16([high, low]).next().and_then(Result::ok).unwrap_or('\u{fffd}'));
                }
                Some(unit) => text.push(char::from_u32(unit.into()).unwrap_or('\u{fffd}')),
                None => text.push_str("\\u"),
            },
            other => text.extend(['\\', other]),
        }
    }

    /// Four hexadecimal digits.
    fn code_unit(&mut self) -> Option<u16> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        self.at += 4;
        u16::from_str_radix(digits, 16).ok()
    }

    /// A value without quotes, up to what ends it.
    fn unquoted(&mut self) -> &'t str {
        let (text, start) = (self.text, self.at);
        while let Some(character) = self.peek() {
            let after = window(&self.rest()[character.len_utf8()..]);
            let token = text[start..self.at].trim();
            let ends = match character {
                '}' => self.is_inside(Container::Object),
                ']' => self.is_inside(Container::List),
                ',' => self.open.last() != Some(&Container::Object) || ends_member(after),
                '/' => starts_comment(self.rest()) && text[..self.at].ends_with(char::is_whitespace),
                '\n' if self.open.last() == Some(&Container::Object) => starts_with_key(after.trim_start()),
                _ if character.is_whitespace() && literal::is_complete(token) => {
                    let next = after.trim_start().chars().next();
                    next.is_none_or(|next| next.is_ascii_digit() || "\"'{[#/".contains(next))
                }
                _ => false,
            };
            if ends {
                break;
            }
            self.bump();
        }
        // A character that ends nothing around is skipped.
        if self.at == start {
            self.bump();
        }
        text[start..self.at].trim()
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let rest = self.rest();
            let length = if rest.starts_with("/*") {
                rest.find("*/").map(|end| end + 2)
            } else if rest.starts_with("//") || rest.starts_with('#') {
                rest.find('\n')
            } else {
                return;
            };
            self.at += length.unwrap_or(rest.len());
        }
    }

    fn skip_separators(&mut self) {
        self.skip_blank();
        while self.peek() == Some(',') {
            self.bump();
            self.skip_blank();
        }
    }

    fn open_container(&mut self, container: Container) -> Option<()> {
        self.bump();
        self.open.push(container);
        (self.open.len() <= MAX_DEPTH).then_some(())
    }

    fn is_inside(&self, container: Container) -> bool {
        self.open.contains(&container)
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }
}

fn closing_quote(quote: char) -> Option<char> {
    match quote {
        '"' | '\'' | '`' => Some(quote),
        '“' | '”' => Some('”'),
        '‘' | '’' => Some('’'),
        _ => None,
    }
}

fn starts_comment(text: &str) -> bool {
    text.starts_with("//") || text.starts_with("/*")
}

/// Whether a member of an object ends at a comma that this text follows.
fn ends_member(after: &str) -> bool {
    let after = window(after).trim_start();
    after.is_empty()
        || after.starts_with(['}', ']', ','])
        || after.starts_with("...")
        || starts_comment(after)
        || starts_with_key(after)
}

/// Whether the text begins with a key and its colon, within the lookahead.
fn starts_with_key(text: &str) -> bool {
    let mut characters = window(text).chars().peekable();
    if let Some(close) = characters.peek().copied().and_then(closing_quote) {
        characters.next();
        return characters.any(|character| character == close) && next_is_colon(&mut characters);
    }
    let is_name = |character: &char| character.is_alphanumeric() || "_-$".contains(*character);
    let mut length = 0;
    while characters.next_if(is_name).is_some() {
        length += 1;
    }
    length > 0 && next_is_colon(&mut characters)
}

fn next_is_colon(characters: &mut impl Iterator<Item = char>) -> bool {
    characters.find(|character| !character.is_whitespace()) == Some(':')
}

/// The beginning of a text, as long as the lookahead.
fn window(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOOKAHEAD)]
}
