//! Events of runs.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

/// The last event of a run of a graph.
pub(crate) const FINISHED: &str = "workflow_finished";
/// The event after which a run waits for a form.
pub(crate) const PAUSED: &str = "workflow_paused";

/// The event that contains a form.
pub(crate) const FORM_REQUIRED: &str = "human_input_required";

/// Names that are not copied.
const KNOWN_NAMES: [&str; 23] = [
    "message",
    "agent_message",
    "agent_thought",
    "message_file",
    "message_replace",
    "message_end",
    "workflow_started",
    FINISHED,
    PAUSED,
    FORM_REQUIRED,
    "human_input_form_filled",
    "human_input_form_timeout",
    "node_started",
    "node_finished",
    "node_retry",
    "text_chunk",
    "iteration_started",
    "iteration_next",
    "iteration_completed",
    "loop_started",
    "loop_next",
    "loop_completed",
    "agent_log",
];

/// One event of a run, as it is written to the client.
#[derive(Clone, Debug)]
pub struct RunEvent {
    /// The `event` member.
    pub event: Cow<'static, str>,
    /// The event as a JSON object on one line, including `event`.
    pub json: Bytes,
}

/// Why a text is not an event. Without the text, which may be personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RunEventError {
    #[error("an event of a run is not UTF-8 text")]
    NotText,
    #[error("an event of a run is not an object")]
    NotAnObject,
    #[error("an event of a run cannot be read: {category:?} at column {column}")]
    Invalid { category: serde_json::error::Category, column: usize },
}

impl RunEvent {
    /// Reads an event. Checks that the whole text is a JSON object with a name.
    pub(crate) fn parse(json: Bytes) -> Result<Self, RunEventError> {
        // serde does not check the texts of unknown members.
        let text = std::str::from_utf8(&json).map_err(|_| RunEventError::NotText)?;
        // serde also accepts an array of the members' values.
        if !text.trim_start().starts_with('{') {
            return Err(RunEventError::NotAnObject);
        }
        let EventName { event } = serde_json::from_str(text)
            .map_err(|error| RunEventError::Invalid { category: error.classify(), column: error.column() })?;
        let event = match KNOWN_NAMES.iter().find(|known| **known == event) {
            Some(known) => Cow::Borrowed(*known),
            None => Cow::Owned(event.into_owned()),
        };
        Ok(Self { event, json })
    }

    /// Whether the run ends here, or waits.
    pub(crate) fn ends_segment(&self) -> bool {
        matches!(&*self.event, FINISHED | PAUSED)
    }
}

#[derive(Deserialize)]
struct EventName<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &'static [u8]) -> Result<(String, bool), RunEventError> {
        let event = RunEvent::parse(Bytes::from_static(json))?;
        Ok((event.event.to_string(), matches!(event.event, Cow::Borrowed(_))))
    }

    #[test]
    fn event_has_its_name() {
        assert_eq!(parse(br#"{"a": 1, "event": "message"}"#), Ok(("message".to_owned(), true)));
        assert_eq!(parse(br#" {"event": "tts\u005fmessage"}"#), Ok(("tts_message".to_owned(), false)));
    }

    #[test]
    fn what_is_not_an_event_is_refused_without_its_text() {
        assert_eq!(parse(b"{\"event\": \"a\", \"b\": \"\xff\"}"), Err(RunEventError::NotText));
        assert_eq!(parse(br#"["message"]"#), Err(RunEventError::NotAnObject));
        for json in [&br#"{"event": "secret""#[..], br#"{"name": "secret"}"#, br#"{"event": 7, "b": "secret"}"#] {
            let error = parse(json).unwrap_err();
            assert!(matches!(error, RunEventError::Invalid { .. }) && !error.to_string().contains("secret"), "{error}");
        }
    }
}
