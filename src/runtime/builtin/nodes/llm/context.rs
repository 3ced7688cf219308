//! What a run of the node reads and uses.

use std::sync::Arc;

use crate::runtime::builtin::{
    model::{Models, PromptMessage, usage::UsageCounter},
    template::TemplateRenderer,
    variables::pool::VariableView,
};

/// What a run of the node needs from around it.
pub(crate) struct LlmContext<'a> {
    /// What it reads.
    pub view: VariableView<'a>,
    /// What was said before, oldest first.
    pub history: &'a [PromptMessage],
    /// The models.
    pub models: &'a Arc<dyn Models>,
    /// The templates.
    pub templates: &'a TemplateRenderer,
    /// Counts what the calls take.
    pub taken: &'a UsageCounter,
    /// Longest prompt, and longest answer, in bytes.
    pub limit: usize,
}
