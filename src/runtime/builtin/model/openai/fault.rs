//! What goes wrong with an endpoint, told in short sentences that hold neither keys nor bodies.

use std::fmt;

use async_openai::error::OpenAIError;
use http::StatusCode;
use serde_json::Value;

use super::body::Flow;
use crate::{domain::secret::Secret, runtime::builtin::model::ModelError};

/// Characters of the endpoint's own message that are told at most.
const MESSAGE_LIMIT: usize = 300;

/// A failure of the endpoint. Its `Debug` says no more than its `Display`: endpoints quote keys in what they say.
#[derive(thiserror::Error)]
pub(super) enum EndpointError {
    #[error("no request could be made: {0}")]
    Unsendable(String),
    #[error("the endpoint cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the endpoint did not answer in time")]
    Slow,
    #[error("the endpoint refused with {status}")]
    Refused { status: StatusCode, message: Option<String> },
    #[error("the endpoint reported a failure in the middle of its answer")]
    Reported(Option<String>),
    #[error("the endpoint answered without streaming")]
    NotAStream,
    #[error("the endpoint's answer does not follow the protocol")]
    Garbled,
    #[error("the endpoint's answer ended early")]
    Cut(#[source] Option<reqwest::Error>),
    #[error("the endpoint's answer is too long")]
    TooLong,
}

impl fmt::Debug for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl EndpointError {
    /// What the client crate's error stands for.
    pub(super) fn of(error: OpenAIError, flow: &Flow) -> Self {
        match error {
            OpenAIError::Boxed(error) => match error.downcast::<Self>() {
                Ok(fault) => *fault,
                Err(other) => Self::Unsendable(other.to_string()),
            },
            OpenAIError::InvalidArgument(reason) => Self::Unsendable(reason),
            // The crate tells faults of the body as text, and of JSON together with the body; the body knows better.
            _ => flow.fault().unwrap_or(Self::Garbled),
        }
    }

    /// In words for the person who runs the app; `key` is left out of whatever the endpoint says.
    pub(super) fn told(self, key: Option<&Secret>) -> ModelError {
        let mut said = None;
        let mut say = |message: &Option<String>| {
            let message = message.as_deref().map(|message| presentable(message, key));
            said = message.filter(|message| !message.is_empty());
        };
        let message = match &self {
            Self::Unsendable(_) => "The request to the model could not be made.".to_owned(),
            Self::Unreachable(error) if error.is_connect() => {
                "The model endpoint cannot be reached. Check OPENAI_BASE_URL.".to_owned()
            }
            Self::Unreachable(_) => "The model endpoint closed the connection before it answered.".to_owned(),
            Self::Slow => "The model endpoint did not answer in time.".to_owned(),
            Self::Refused { status, message } => match status.as_u16() {
                401 | 403 => format!("The model endpoint refused the key ({}). Check OPENAI_API_KEY.", status.as_u16()),
                404 => {
                    say(message);
                    "The model endpoint does not know this model or path (404).".to_owned()
                }
                429 => "The model endpoint is over its rate limit or quota (429). Try again later.".to_owned(),
                300..=399 => {
                    "The model endpoint sent a redirect, which is not followed. Check OPENAI_BASE_URL.".to_owned()
                }
                500.. => format!("The model endpoint failed ({}).", status.as_u16()),
                code => {
                    say(message);
                    format!("The model endpoint refused the request ({code}).")
                }
            },
            Self::Reported(message) => {
                say(message);
                "The model endpoint failed in the middle of its answer.".to_owned()
            }
            Self::NotAStream => "The model endpoint does not stream its answers.".to_owned(),
            Self::Garbled => "The model endpoint's answer could not be understood.".to_owned(),
            Self::Cut(_) => "The model endpoint's answer ended early.".to_owned(),
            Self::TooLong => "The model endpoint's answer is too long.".to_owned(),
        };
        ModelError { message, said, cause: Some(Box::new(self)) }
    }
}

/// The message of a refusal's body, where there is one.
pub(super) fn message_of(body: &[u8]) -> Option<String> {
    reported(serde_json::from_slice::<Value>(body).ok()?.get("error")?)
}

/// The message of an `error` member: `{"message"}`, or the text itself.
pub(super) fn reported(error: &Value) -> Option<String> {
    error.get("message").unwrap_or(error).as_str().map(str::to_owned)
}

/// One line of bounded length, without the key and without whatever looks like one.
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
        if line.len() > MESSAGE_LIMIT * 4 {
            break;
        }
    }
    match line.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
