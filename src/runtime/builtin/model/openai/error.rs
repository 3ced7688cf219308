//! Failures of an endpoint, in short sentences without keys and bodies.

use std::fmt;

use async_openai::error::OpenAIError;
use http::StatusCode;
use serde_json::Value;

use crate::{domain::secret::Secret, runtime::builtin::model::error::ModelError};

/// Longest part of the endpoint's own message that is reported, in characters.
const MAX_MESSAGE: usize = 300;

/// A failure of the endpoint. `Debug` is the same as `Display`, because endpoints quote keys in their messages.
#[derive(thiserror::Error)]
pub(super) enum EndpointError {
    #[error("no request could be made: {0}")]
    Unsendable(String),
    #[error("the endpoint cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the endpoint did not answer in time")]
    TimedOut,
    #[error("the endpoint refused with {status}")]
    Rejected { status: StatusCode, message: Option<String> },
    #[error("the endpoint reported a failure in the middle of its answer")]
    Reported(Option<String>),
    #[error("the endpoint answered without streaming")]
    NotAStream,
    #[error("the endpoint's answer does not follow the protocol")]
    InvalidAnswer,
    #[error("the endpoint's answer ended early")]
    Truncated(#[source] Option<reqwest::Error>),
    #[error("the endpoint's answer is too long")]
    TooLong,
}

impl fmt::Debug for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl EndpointError {
    /// Converts an error of the client crate; `body_error` is the error of the response's body.
    pub(super) fn from_client(error: OpenAIError, body_error: Option<Self>) -> Self {
        match error {
            OpenAIError::Boxed(error) => match error.downcast::<Self>() {
                Ok(error) => *error,
                Err(other) => Self::Unsendable(other.to_string()),
            },
            OpenAIError::InvalidArgument(reason) => Self::Unsendable(reason),
            // The crate reduces an error of the body to a text, and quotes the body in an error of its JSON.
            _ => body_error.unwrap_or(Self::InvalidAnswer),
        }
    }

    /// Words the error for the person who runs the app, with `key` removed from the endpoint's message.
    pub(super) fn into_model_error(self, key: Option<&Secret>) -> ModelError {
        let mut endpoint_message = None;
        let mut quote = |message: &Option<String>| {
            let message = message.as_deref().map(|message| presentable(message, key));
            endpoint_message = message.filter(|message| !message.is_empty());
        };
        let message = match &self {
            Self::Unsendable(_) => "The request to the model could not be made.".to_owned(),
            Self::Unreachable(error) if error.is_connect() => {
                "The model endpoint cannot be reached. Check OPENAI_BASE_URL.".to_owned()
            }
            Self::Unreachable(_) => "The model endpoint closed the connection before it answered.".to_owned(),
            Self::TimedOut => "The model endpoint did not answer in time.".to_owned(),
            Self::Rejected { status, message } => match status.as_u16() {
                401 | 403 => format!("The model endpoint refused the key ({}). Check OPENAI_API_KEY.", status.as_u16()),
                404 => {
                    quote(message);
                    "The model endpoint does not know this model or path (404).".to_owned()
                }
                429 => "The model endpoint is over its rate limit or quota (429). Try again later.".to_owned(),
                300..=399 => {
                    "The model endpoint sent a redirect, which is not followed. Check OPENAI_BASE_URL.".to_owned()
                }
                500.. => format!("The model endpoint failed ({}).", status.as_u16()),
                code => {
                    quote(message);
                    format!("The model endpoint refused the request ({code}).")
                }
            },
            Self::Reported(message) => {
                quote(message);
                "The model endpoint failed in the middle of its answer.".to_owned()
            }
            Self::NotAStream => "The model endpoint does not stream its answers.".to_owned(),
            Self::InvalidAnswer => "The model endpoint's answer could not be understood.".to_owned(),
            Self::Truncated(_) => "The model endpoint's answer ended early.".to_owned(),
            Self::TooLong => "The model endpoint's answer is too long.".to_owned(),
        };
        ModelError { message, endpoint_message, cause: Some(Box::new(self)) }
    }
}

/// The message in the body of an error response.
pub(super) fn message_of_body(body: &[u8]) -> Option<String> {
    error_message(serde_json::from_slice::<Value>(body).ok()?.get("error")?)
}

/// The message of an `error` member: its `message`, or the member itself when it is a string.
pub(super) fn error_message(error: &Value) -> Option<String> {
    error.get("message").unwrap_or(error).as_str().map(str::to_owned)
}

/// Shortens a message to one line, without `key` and without words that look like a key.
fn presentable(message: &str, key: Option<&Secret>) -> String {
    let message = match key {
        Some(key) if !key.expose().is_empty() => message.replace(key.expose(), "…"),
        _ => message.to_owned(),
    };
    let looks_like_a_key = |word: &str| word.contains("sk-") || word.to_ascii_lowercase().contains("bearer");
    let mut line = String::new();
    for word in
        message.split(|symbol: char| symbol.is_whitespace() || symbol.is_control()).filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(if looks_like_a_key(word) { "…" } else { word });
        if line.len() > MAX_MESSAGE * 4 {
            break;
        }
    }
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
