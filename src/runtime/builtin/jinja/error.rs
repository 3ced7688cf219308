//! Why a template cannot be rendered.

use super::limits::{MAX_OUTPUT, MAX_SOURCE};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("the template is longer than {MAX_SOURCE} bytes; shorten it or split it into several nodes")]
    SourceTooLong,
    #[error("Output length exceeds {MAX_OUTPUT} characters")]
    OutputTooLong,
    #[error("the template takes too long to run; loop over less")]
    TooManySteps,
    #[error("the template takes too much memory; build smaller values")]
    TooMuchMemory,
    #[error("the template is nested too deeply; use fewer levels of blocks, brackets or calls")]
    TooDeep,
    /// The caller no longer waits for the result.
    #[error("the rendering was cancelled")]
    Cancelled,
    #[error("too many templates of this workspace are waiting; try again shortly")]
    Busy,
    /// The blocking thread ended without a result.
    #[error("the template was not rendered")]
    Lost,
    /// The template does not follow Jinja2's grammar.
    #[error("line {line}: {message}")]
    Syntax { line: u32, message: String },
    /// Jinja2 or Python has this, and this service does not offer it. The message contains a cure.
    #[error("line {line}: {message}")]
    Unsupported { line: u32, message: String },
    /// An expression failed.
    #[error("{}{message}", place(*.line))]
    Evaluation { line: Option<u32>, message: String },
}

pub(super) type Result<T> = std::result::Result<T, TemplateError>;

fn place(line: Option<u32>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}

impl TemplateError {
    /// Adds the line to an error of an expression that has none yet.
    pub(super) fn at(self, at: u32) -> Self {
        match self {
            Self::Evaluation { line: None, message } => Self::Evaluation { line: Some(at), message },
            other => other,
        }
    }
}

/// An error of an expression whose line is added later.
pub(super) fn failed(message: impl Into<String>) -> TemplateError {
    TemplateError::Evaluation { line: None, message: message.into() }
}

pub(super) fn syntax(line: u32, message: impl Into<String>) -> TemplateError {
    TemplateError::Syntax { line, message: message.into() }
}

pub(super) fn unsupported(line: u32, message: impl Into<String>) -> TemplateError {
    TemplateError::Unsupported { line, message: message.into() }
}
