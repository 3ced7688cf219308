//! One call of a model, with its answer and its usage.

use crate::runtime::builtin::model::{Usage, usage::UsageCounter};

/// A call. Its usage is counted when it is dropped, also when the engine drops it in the middle of an answer.
pub(super) struct ModelCall {
    counter: UsageCounter,
    /// Usage of the prompt; zero until the model has accepted it.
    pub prompt_usage: Usage,
    /// The answer so far.
    pub text: String,
    pub reported_usage: Option<Usage>,
}

impl ModelCall {
    pub(super) fn new(counter: UsageCounter) -> Self {
        Self { counter, prompt_usage: Usage::default(), text: String::new(), reported_usage: None }
    }

    /// Reported by the model, else estimated.
    fn usage(&self) -> Usage {
        self.reported_usage.unwrap_or_else(|| {
            let mut usage = self.prompt_usage;
            usage.add(Usage::estimated(&[], &self.text));
            usage
        })
    }

    /// The answer, and the usage.
    pub(super) fn end(mut self) -> (String, Usage) {
        let usage = self.usage();
        self.reported_usage = Some(usage);
        (std::mem::take(&mut self.text), usage)
    }
}

impl Drop for ModelCall {
    fn drop(&mut self) {
        self.counter.add(self.usage());
    }
}
