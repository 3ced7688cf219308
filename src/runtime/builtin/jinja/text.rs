//! Texts: shared, weighed by the meter of the rendering, and marked when they are HTML (`markupsafe.Markup`).

use std::{fmt, ops::Deref, rc::Rc};

use super::{
    budget::{MemoryMeter, RenderBudget},
    error::Result,
};

/// Bytes of a text besides its characters.
const TEXT_OVERHEAD: usize = 64;

#[derive(Debug)]
struct TextData {
    text: String,
    weight: usize,
    meter: Rc<MemoryMeter>,
}

impl Drop for TextData {
    fn drop(&mut self) {
        self.meter.give_back(self.weight);
    }
}

/// A Python `str`, or `Markup` when `markup` is set.
#[derive(Clone, Debug)]
pub(super) struct PyText {
    data: Rc<TextData>,
    pub markup: bool,
}

impl Deref for PyText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.data.text
    }
}

impl fmt::Display for PyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PyText {
    /// Copies a text.
    pub(super) fn new(budget: &RenderBudget, text: &str) -> Result<Self> {
        let mut out = TextBuilder::new(budget);
        out.push_str(text)?;
        out.finish()
    }

    /// The same text with or without the mark.
    pub(super) fn marked(&self, markup: bool) -> Self {
        Self { data: Rc::clone(&self.data), markup }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.data, &other.data)
    }

    /// Number of characters.
    pub(super) fn chars_count(&self, budget: &RenderBudget) -> Result<usize> {
        budget.read(self.len())?;
        Ok(self.chars().count())
    }
}

/// Builds a text; each addition is first charged to the budget.
pub(super) struct TextBuilder<'b> {
    text: String,
    budget: &'b RenderBudget,
    /// Bytes taken from the meter.
    taken: usize,
}

impl<'b> TextBuilder<'b> {
    pub(super) fn new(budget: &'b RenderBudget) -> Self {
        Self { text: String::new(), budget, taken: 0 }
    }

    pub(super) fn budget(&self) -> &'b RenderBudget {
        self.budget
    }

    pub(super) fn push_str(&mut self, text: &str) -> Result<()> {
        self.take(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    pub(super) fn push(&mut self, character: char) -> Result<()> {
        self.take(character.len_utf8())?;
        self.text.push(character);
        Ok(())
    }

    /// Appends a character several times.
    pub(super) fn pad(&mut self, character: char, times: usize) -> Result<()> {
        let bytes = times.saturating_mul(character.len_utf8());
        self.take(bytes)?;
        self.text.reserve(bytes);
        self.text.extend(std::iter::repeat_n(character, times));
        Ok(())
    }

    pub(super) fn repeat(&mut self, text: &str, times: usize) -> Result<()> {
        let bytes = text.len().saturating_mul(times);
        if bytes == 0 {
            return Ok(());
        }
        self.take(bytes)?;
        self.text.reserve(bytes);
        for _ in 0..times {
            self.text.push_str(text);
        }
        Ok(())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn finish(mut self) -> Result<PyText> {
        self.budget.produce(TEXT_OVERHEAD)?;
        let weight = self.taken + TEXT_OVERHEAD;
        self.taken = 0;
        let meter = Rc::clone(self.budget.memory());
        let text = std::mem::take(&mut self.text);
        Ok(PyText { data: Rc::new(TextData { text, weight, meter }), markup: false })
    }

    /// The text itself, for the caller of the engine.
    pub(super) fn into_string(mut self) -> String {
        std::mem::take(&mut self.text)
    }

    fn take(&mut self, bytes: usize) -> Result<()> {
        self.budget.produce(bytes)?;
        self.taken += bytes;
        Ok(())
    }
}

impl Drop for TextBuilder<'_> {
    fn drop(&mut self) {
        self.budget.memory().give_back(self.taken);
    }
}
