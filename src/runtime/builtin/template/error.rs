//! Why a template was not rendered.

/// Longest template, in bytes.
pub(super) const MAX_SOURCE: usize = 256 << 10;
/// Longest output, in bytes. Dify's limit is 400,000 characters.
pub(super) const MAX_OUTPUT: usize = 400_000;

#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("the template is longer than {MAX_SOURCE} bytes")]
    SourceTooLong,
    #[error("Output length exceeds {MAX_OUTPUT} characters")]
    OutputTooLong,
    #[error("the template takes too long to run")]
    OutOfFuel,
    /// The template is invalid, or an expression failed: minijinja's message, with the line.
    #[error("{0}")]
    Template(String),
    /// The blocking thread ended without a result.
    #[error("the template was not rendered")]
    Lost,
}

impl TemplateError {
    pub(super) fn from_engine(error: &minijinja::Error) -> Self {
        Self::Template(match (error.detail(), error.line()) {
            (Some(detail), Some(line)) => format!("{}: {detail} (line {line})", error.kind()),
            (Some(detail), None) => format!("{}: {detail}", error.kind()),
            (None, Some(line)) => format!("{} (line {line})", error.kind()),
            (None, None) => error.kind().to_string(),
        })
    }

    /// The end of a tag cannot be determined without doubt.
    pub(super) fn ambiguous(reason: &str) -> Self {
        Self::Template(format!("the template cannot be read: {reason}"))
    }
}
