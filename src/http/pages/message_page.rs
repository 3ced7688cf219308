//! Pages with a message: what happened, and what to do next.

use serde::Serialize;

use super::{
    location::SESSIONS,
    texts::{SentencePart, Texts, sentence},
};
use crate::domain::{client_commands::ClientCommand, id::TokenId};

/// The kind of a message, which decides its icon and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum MessageKind {
    #[serde(rename = "good")]
    Success,
    /// Trying again does not help.
    #[serde(rename = "stop")]
    Final,
    /// Trying again, perhaps later, can help.
    #[serde(rename = "wait")]
    Temporary,
}

/// A link to the next step.
#[derive(Clone, Debug, Serialize)]
struct MessageLink {
    href: String,
    label: String,
}

/// A form that ends a session.
#[derive(Clone, Debug, Serialize)]
struct EndForm {
    path: String,
    session: String,
    csrf_token: String,
}

/// A page with a message.
#[derive(Clone, Debug, Serialize)]
pub(super) struct MessagePage {
    kind: MessageKind,
    title: String,
    /// Says who is signed in where; empty when the page names no device.
    sentence: Vec<SentencePart>,
    text: String,
    /// The commands that get a new code; `None` when the page is not about a code.
    commands: Option<Vec<ClientCommand>>,
    wait: Option<String>,
    links: Vec<MessageLink>,
    end: Option<EndForm>,
    reference: Option<String>,
}

impl MessagePage {
    /// `title` and `text` are keys of the texts.
    pub(super) fn new(texts: &Texts, kind: MessageKind, title: &'static str, text: &'static str) -> Self {
        let (title, text) = (texts.get(title).to_owned(), texts.get(text).to_owned());
        Self {
            kind,
            title,
            sentence: Vec::new(),
            text,
            commands: None,
            wait: None,
            links: Vec::new(),
            end: None,
            reference: None,
        }
    }

    /// Shows the commands that get a new code. Without any, the page says to start again on the device.
    #[must_use]
    pub(super) fn with_commands(mut self, commands: Vec<ClientCommand>) -> Self {
        self.commands = Some(commands);
        self
    }

    /// Shows a sentence with values; `text` is a key of the texts.
    #[must_use]
    pub(super) fn with_sentence(mut self, texts: &Texts, text: &'static str, values: &[(&str, &str)]) -> Self {
        self.sentence = sentence(texts.get(text), values);
        self
    }

    /// Shows a button that ends a session; `path` is the target of its form.
    #[must_use]
    pub(super) fn with_end_form(mut self, path: String, session: TokenId, csrf_token: &str) -> Self {
        self.end = Some(EndForm { path, session: session.to_string(), csrf_token: csrf_token.to_owned() });
        self
    }

    /// Shows the sentence that says when to try again.
    #[must_use]
    pub(super) fn with_wait(mut self, wait: Option<String>) -> Self {
        self.wait = wait;
        self
    }

    /// Adds a link.
    #[must_use]
    pub(super) fn with_link(mut self, href: impl Into<String>, label: &str) -> Self {
        self.links.push(MessageLink { href: href.into(), label: label.to_owned() });
        self
    }

    /// Makes the links lead to this host; an empty URL leaves them.
    #[must_use]
    pub(super) fn on_host(mut self, url: &str) -> Self {
        for link in &mut self.links {
            link.href.insert_str(0, url);
        }
        self
    }

    /// Shows the request id, by which the request is found in the log; nothing for an empty one.
    #[must_use]
    pub(super) fn with_reference(mut self, request_id: String) -> Self {
        self.reference = Some(request_id).filter(|id| !id.is_empty());
        self
    }

    /// The code of a device's page has expired or was used.
    pub(super) fn code_expired(texts: &Texts, commands: Vec<ClientCommand>) -> Self {
        Self::new(texts, MessageKind::Final, "expired_title", "expired_text")
            .with_commands(commands)
            .with_link("/device", texts.get("enter_another"))
    }

    /// No pending grant has the entered code: it was mistyped, has expired or was used. These look alike, so that
    /// the page does not reveal which codes exist.
    pub(super) fn code_unknown(texts: &Texts, commands: Vec<ClientCommand>) -> Self {
        Self::new(texts, MessageKind::Final, "unknown_title", "unknown_text")
            .with_commands(commands)
            .with_link("/device", texts.get("enter_again"))
    }

    /// The session has ended already; `list` is the address of the sessions list.
    pub(super) fn session_ended(texts: &Texts, list: &str) -> Self {
        Self::new(texts, MessageKind::Final, "gone_title", "gone_text").with_link(list, texts.get("back_to_sessions"))
    }

    /// No page has this address.
    pub(super) fn not_found(texts: &Texts) -> Self {
        Self::new(texts, MessageKind::Final, "missing_title", "missing_text")
            .with_link("/device", texts.get("enter_another"))
    }

    /// The device was approved.
    pub(super) fn approved(texts: &Texts) -> Self {
        Self::new(texts, MessageKind::Success, "approved_title", "approved_text")
            .with_link(SESSIONS, texts.get("nav_sessions"))
    }

    /// The device was approved by an external identity, which has no list of sessions here.
    pub(super) fn approved_by_sso(texts: &Texts) -> Self {
        Self::new(texts, MessageKind::Success, "approved_title", "approved_text")
    }

    /// The device was denied by an external identity.
    pub(super) fn denied_by_sso(texts: &Texts) -> Self {
        Self::new(texts, MessageKind::Final, "denied_title", "denied_text")
    }

    /// The device was denied.
    pub(super) fn denied(texts: &Texts) -> Self {
        Self::new(texts, MessageKind::Final, "denied_title", "denied_text")
            .with_link(SESSIONS, texts.get("nav_sessions"))
    }
}
