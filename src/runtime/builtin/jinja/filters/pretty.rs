//! The filter `pprint`: Python's `pprint.pformat`, 80 columns wide.

use std::rc::Rc;

use crate::runtime::builtin::{
    jinja::arguments::Arguments,
    jinja::error::{Result, TemplateError},
    jinja::heap::Heap,
    jinja::iterate::collect,
    jinja::limits::MAX_VALUE_DEPTH,
    jinja::methods::lines,
    jinja::repr::{write_quoted, write_repr},
    jinja::sort::sorted_indexes,
    jinja::state::RenderState,
    jinja::text::TextBuilder,
    jinja::value::{DictView, Entries, Items, PyValue},
};

const WIDTH: usize = 80;

pub(super) fn pprint(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("pprint")?;
    let mut out = state.heap.builder();
    Printer { heap: &state.heap }.write(&mut out, value, Place { indent: 0, allowance: 0, level: 0 })?;
    out.finish().map(PyValue::Text)
}

/// Where a value is written.
#[derive(Clone, Copy)]
struct Place {
    indent: usize,
    /// Columns that what follows on the line needs.
    allowance: usize,
    level: usize,
}

struct Printer<'h> {
    heap: &'h Heap,
}

impl Printer<'_> {
    fn write(&self, out: &mut TextBuilder<'_>, value: &PyValue, place: Place) -> Result<()> {
        if place.level > MAX_VALUE_DEPTH {
            return Err(TemplateError::TooDeep);
        }
        let value = &self.sorted(value)?;
        let mut whole = self.heap.builder();
        write_repr(self.heap, &mut whole, value)?;
        let width = whole.as_str().chars().count();
        if width + place.indent + place.allowance <= WIDTH {
            return out.push_str(whole.as_str());
        }
        let inner = Place { level: place.level + 1, ..place };
        match value {
            PyValue::List(items) => self.items(out, items, ["[", "]"], inner),
            PyValue::Tuple(items) => {
                let close = if items.len() == 1 { ",)" } else { ")" };
                self.items(out, items, ["(", close], inner)
            }
            PyValue::Dict(entries) => self.dict(out, entries, inner),
            PyValue::Text(text) if !text.markup => self.text(out, text, inner),
            _ => out.push_str(whole.as_str()),
        }
    }

    /// A dict with its keys in order, where they have one.
    fn sorted(&self, value: &PyValue) -> Result<PyValue> {
        let PyValue::Dict(entries) = value else { return Ok(value.clone()) };
        let keys = collect(self.heap, &PyValue::View(DictView::Keys, Rc::clone(entries)))?;
        let order = match sorted_indexes(self.heap, &keys.items.borrow(), false) {
            Ok(order) => order,
            Err(TemplateError::Evaluation { .. }) => (0..keys.len()).collect(),
            Err(limit) => return Err(limit),
        };
        let sorted = self.heap.entries()?;
        for at in order {
            let entry = entries.0.borrow().get_index(at).map(|(key, value)| (key.clone(), value.clone()));
            if let Some((key, value)) = entry {
                let value = self.sorted(&value)?;
                self.heap.set(&sorted, key, value)?;
            }
        }
        Ok(PyValue::Dict(sorted))
    }

    fn items(&self, out: &mut TextBuilder<'_>, items: &Items, [open, close]: [&str; 2], place: Place) -> Result<()> {
        out.push_str(open)?;
        let indent = place.indent + 1;
        for at in 0..items.len() {
            if at > 0 {
                out.push_str(",\n")?;
                out.pad(' ', indent)?;
            }
            let is_last = at + 1 == items.len();
            let allowance = if is_last { place.allowance + close.len() } else { 1 };
            self.write(out, &items.get(at).unwrap_or(PyValue::None), Place { indent, allowance, ..place })?;
        }
        out.push_str(close)
    }

    fn dict(&self, out: &mut TextBuilder<'_>, entries: &Entries, place: Place) -> Result<()> {
        out.push('{')?;
        let indent = place.indent + 1;
        for at in 0..entries.len() {
            if at > 0 {
                out.push_str(",\n")?;
                out.pad(' ', indent)?;
            }
            let entry = entries.0.borrow().get_index(at).map(|(key, value)| (key.clone(), value.clone()));
            let Some((key, value)) = entry else { break };
            let mut shown = self.heap.builder();
            write_repr(self.heap, &mut shown, &self.heap.key_value(&key)?)?;
            out.push_str(shown.as_str())?;
            out.push_str(": ")?;
            let is_last = at + 1 == entries.len();
            let allowance = if is_last { place.allowance + 1 } else { 1 };
            let indent = indent + shown.as_str().chars().count() + 2;
            self.write(out, &value, Place { indent, allowance, ..place })?;
        }
        out.push('}')
    }

    /// Writes a long text as several literals.
    fn text(&self, out: &mut TextBuilder<'_>, text: &str, mut place: Place) -> Result<()> {
        if place.level == 1 {
            place.indent += 1;
            place.allowance += 1;
        }
        let room = WIDTH.saturating_sub(place.indent);
        let mut chunks = self.heap.list_builder();
        let mut count = 0;
        let mut lines = lines(text).peekable();
        while let Some((line, end)) = lines.next() {
            let is_last_line = lines.peek().is_none();
            let line = &text[line.start..end];
            let line_room = if is_last_line { room.saturating_sub(place.allowance) } else { room };
            if self.quoted_width(line)? <= line_room {
                chunks.push(self.quoted(line)?)?;
                count += 1;
                continue;
            }
            let mut current = 0..0;
            let parts = parts(line);
            for (at, part) in parts.iter().enumerate() {
                let is_last = is_last_line && at + 1 == parts.len();
                let part_room = if is_last { room.saturating_sub(place.allowance) } else { room };
                if self.quoted_width(&line[current.start..*part])? > part_room {
                    if !current.is_empty() {
                        chunks.push(self.quoted(&line[current.clone()])?)?;
                        count += 1;
                    }
                    current = current.end..*part;
                } else {
                    current.end = *part;
                }
            }
            if !current.is_empty() {
                chunks.push(self.quoted(&line[current])?)?;
                count += 1;
            }
        }
        let chunks = chunks.into_items()?;
        let in_parentheses = place.level == 1 && count > 1;
        out.push_str(if in_parentheses { "(" } else { "" })?;
        for (at, chunk) in chunks.items.borrow().iter().enumerate() {
            if at > 0 {
                out.push('\n')?;
                out.pad(' ', place.indent)?;
            }
            if let PyValue::Text(chunk) = chunk {
                out.push_str(chunk)?;
            }
        }
        out.push_str(if in_parentheses { ")" } else { "" })
    }

    fn quoted(&self, text: &str) -> Result<PyValue> {
        let mut out = self.heap.builder();
        write_quoted(&mut out, text)?;
        out.finish().map(PyValue::Text)
    }

    fn quoted_width(&self, text: &str) -> Result<usize> {
        let mut out = self.heap.builder();
        write_quoted(&mut out, text)?;
        Ok(out.as_str().chars().count())
    }
}

/// The ends of the words of a line, each with the white space after it.
fn parts(line: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut after_space = false;
    for (at, character) in line.char_indices() {
        let is_space = character.is_whitespace();
        if after_space && !is_space {
            ends.push(at);
        }
        after_space = is_space;
    }
    if !line.is_empty() {
        ends.push(line.len());
    }
    ends
}
