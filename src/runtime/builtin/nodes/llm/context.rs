//! What a run of the node reads and uses.

use std::sync::Arc;

use crate::runtime::builtin::{
    model::{Models, PromptMessage, usage::UsageCounter},
    run_images::RunImages,
    template::AppRenderer,
    variables::pool::VariableView,
};

pub(crate) struct LlmContext<'a> {
    pub view: VariableView<'a>,
    /// The last exchanges of the conversation, oldest first.
    pub history: &'a [PromptMessage],
    /// The images that models may see.
    pub images: &'a RunImages,
    pub models: &'a Arc<dyn Models>,
    pub templates: &'a AppRenderer,
    /// Counts the tokens of the attempt.
    pub usage: &'a UsageCounter,
    /// Longest prompt, and longest answer, in bytes.
    pub limit: usize,
}
