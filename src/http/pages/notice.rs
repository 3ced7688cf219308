//! Notices: pages that say what happened and what to do next.

use serde::Serialize;

use super::language::Texts;

/// What a device runs to sign in at the server that people reach under this URL.
pub(crate) fn login_command(url: &str) -> String {
    let unencrypted = if url.starts_with("http://") { " --insecure" } else { "" };
    format!("difyctl auth login --host {url}{unencrypted}")
}

/// How a notice feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    /// It worked.
    Good,
    /// It ended.
    Stop,
    /// Not now, or not like this.
    Wait,
}

/// Something to do next. Links only: a form may not lead to another origin.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Action {
    href: String,
    label: String,
}

/// A notice.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Notice {
    tone: Tone,
    title: String,
    text: String,
    command: Option<String>,
    wait: Option<String>,
    actions: Vec<Action>,
    reference: Option<String>,
}

impl Notice {
    /// A notice with the texts of two keys.
    pub(super) fn new(texts: &Texts, tone: Tone, title: &'static str, text: &'static str) -> Self {
        let (title, text) = (texts.get(title).to_owned(), texts.get(text).to_owned());
        Self { tone, title, text, command: None, wait: None, actions: Vec::new(), reference: None }
    }

    /// Says which command gets a new code.
    #[must_use]
    pub(super) fn command(mut self, command: &str) -> Self {
        self.command = Some(command.to_owned());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub(super) fn wait(mut self, wait: Option<String>) -> Self {
        self.wait = wait;
        self
    }

    /// Adds a link.
    #[must_use]
    pub(super) fn action(mut self, href: impl Into<String>, label: &str) -> Self {
        self.actions.push(Action { href: href.into(), label: label.to_owned() });
        self
    }

    /// Adds the id under which the log knows the request.
    #[must_use]
    pub(super) fn reference(mut self, request_id: String) -> Self {
        self.reference = Some(request_id).filter(|id| !id.is_empty());
        self
    }

    /// A code that admits nobody any more.
    pub(super) fn expired(texts: &Texts, command: &str) -> Self {
        Self::new(texts, Tone::Stop, "expired_title", "expired_text")
            .command(command)
            .action("/device", texts.get("enter_another"))
    }

    /// A session that has ended already, and the way back to the list.
    pub(super) fn session_gone(texts: &Texts, list: &str) -> Self {
        Self::new(texts, Tone::Stop, "gone_title", "gone_text").action(list, texts.get("back_to_sessions"))
    }

    /// An address where nothing is.
    pub(super) fn missing(texts: &Texts) -> Self {
        Self::new(texts, Tone::Stop, "missing_title", "missing_text").action("/device", texts.get("enter_another"))
    }

    /// The device was let in.
    pub(super) fn approved(texts: &Texts) -> Self {
        Self::new(texts, Tone::Good, "approved_title", "approved_text")
            .action("/device/sessions", texts.get("nav_sessions"))
    }

    /// The device was turned away.
    pub(super) fn denied(texts: &Texts) -> Self {
        Self::new(texts, Tone::Stop, "denied_title", "denied_text")
            .action("/device/sessions", texts.get("nav_sessions"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_this_server_and_says_when_it_is_not_encrypted() {
        assert_eq!(login_command("https://dify.example"), "difyctl auth login --host https://dify.example");
        assert_eq!(
            login_command("http://127.0.0.1:5001"),
            "difyctl auth login --host http://127.0.0.1:5001 --insecure"
        );
    }
}
