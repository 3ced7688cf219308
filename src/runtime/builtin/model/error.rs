//! Why a model did not answer, in words for the person who runs the app.

#[derive(Debug, thiserror::Error)]
#[error("{}", joined(message, endpoint_message.as_deref()))]
pub(crate) struct ModelError {
    /// This service's own sentence.
    pub message: String,
    /// The endpoint's message, cleaned. For the log and for events that describe a run step by step.
    pub endpoint_message: Option<String>,
    /// For the log.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ModelError {
    /// An error without a message of the endpoint.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), endpoint_message: None, cause: None }
    }
}

fn joined(message: &str, endpoint_message: Option<&str>) -> String {
    match endpoint_message {
        Some(detail) => format!("{}: {detail}", message.trim_end_matches('.')),
        None => message.to_owned(),
    }
}
