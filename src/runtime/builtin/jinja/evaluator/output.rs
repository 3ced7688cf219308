//! Where statements write: the output of the template, or the text of a block or a macro.

use crate::runtime::builtin::{
    jinja::error::{Result, TemplateError},
    jinja::heap::Heap,
    jinja::text::{PyText, TextBuilder},
};

pub(super) struct RenderOutput<'h> {
    text: TextBuilder<'h>,
    /// Characters that may still be written; without a limit, only the memory is limited.
    left: Option<usize>,
}

impl<'h> RenderOutput<'h> {
    pub(super) fn limited(heap: &'h Heap, characters: usize) -> Self {
        Self { text: heap.builder(), left: Some(characters) }
    }

    pub(super) fn captured(heap: &'h Heap) -> Self {
        Self { text: heap.builder(), left: None }
    }

    pub(super) fn push_str(&mut self, text: &str) -> Result<()> {
        if let Some(left) = self.left {
            self.text.budget().read(text.len())?;
            self.left = Some(left.checked_sub(text.chars().count()).ok_or(TemplateError::OutputTooLong)?);
        }
        self.text.push_str(text)
    }

    /// The text, marked as HTML while it is escaped automatically.
    pub(super) fn finish(self, markup: bool) -> Result<PyText> {
        Ok(self.text.finish()?.marked(markup))
    }

    pub(super) fn into_string(self) -> String {
        self.text.into_string()
    }
}
