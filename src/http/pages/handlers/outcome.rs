//! The outcome of a decision: which client on which device is signed in as whom, and a form that ends it at once. For
//! accounts; `external_outcome` has the pages of external identities, which show the same.

use axum::response::Response;
use http::StatusCode;

use super::device::{AGAIN, device_handle, done_path, find_decision, page_path};
use crate::{
    domain::{
        Code, Result,
        recorded_decision::{Decision, DecisionOutcome},
        session::Session,
        subject::Subject,
    },
    http::pages::{
        context::PageContext,
        location::{SESSIONS, see_other},
        message_page::{MessageKind, MessagePage},
        notice_redirect::see_other_with_notice,
        renderer::PageTemplate,
    },
    rpc::reply::CSRF_TOKEN,
};

/// The notice after the end of the session.
const ENDED: &str = "ended";

/// The person who decided, and where the pages lead them.
pub(super) struct Decider<'a> {
    pub subject: Subject,
    /// The name that the page shows.
    pub name: &'a str,
    /// The target of the form that ends the session, and its CSRF token.
    pub end_path: String,
    pub csrf_token: &'a str,
    /// Whether they have a list of sessions here.
    pub has_list: bool,
}

impl<'a> Decider<'a> {
    fn account(context: &'a PageContext) -> Result<Self> {
        let account = &context.caller()?.account;
        Ok(Self {
            subject: context.subject()?,
            name: if account.name.trim().is_empty() { &account.email } else { &account.name },
            end_path: format!("{}/end", page_path(context)),
            csrf_token: context.cookie(CSRF_TOKEN).unwrap_or_default(),
            has_list: true,
        })
    }

    /// The message about their decision: what is true now.
    pub(super) async fn message(&self, context: &PageContext, decision: &Decision) -> Result<MessagePage> {
        let id = match decision.outcome {
            DecisionOutcome::Denied => return Ok(self.denied(context, decision)),
            DecisionOutcome::Approved(id) => id,
        };
        match context.site.services.sessions.find(&self.subject, &id.to_string()).await {
            Ok(session) => Ok(self.approved(context, decision, &session)),
            Err(error) if error.code() == Code::NotFound => Ok(self.ended(context, Some(decision))),
            Err(error) => Err(error),
        }
    }

    fn approved(&self, context: &PageContext, decision: &Decision, session: &Session) -> MessagePage {
        let (title, text) = match context.notice() {
            Some(AGAIN) => ("approved_again_title", "decided_again_text"),
            _ => ("approved_title", "approved_text"),
        };
        let values = [
            ("client", decision.client_id.as_str()),
            ("device", session.device_label.as_str()),
            ("account", self.name),
        ];
        let message = MessagePage::new(context.texts(), MessageKind::Success, title, text)
            .with_sentence(context.texts(), "approved_sentence", &values)
            .with_end_form(self.end_path.clone(), session.id, self.csrf_token);
        self.with_list_link(message, context)
    }

    fn denied(&self, context: &PageContext, decision: &Decision) -> MessagePage {
        let (title, text) = match context.notice() {
            Some(AGAIN) => ("denied_again_title", "decided_again_text"),
            _ => ("denied_title", "close_page"),
        };
        let message = MessagePage::new(context.texts(), MessageKind::Final, title, text)
            .with_sentence(context.texts(), "denied_sentence", &client_and_device(decision))
            .with_commands(context.site.client_commands.of_client(&decision.client_id));
        self.with_list_link(message, context)
    }

    fn ended(&self, context: &PageContext, decision: Option<&Decision>) -> MessagePage {
        let message = MessagePage::new(context.texts(), MessageKind::Success, "ended_title", "ended_text");
        let message = self.with_list_link(message, context);
        match decision {
            Some(decision) => message.with_sentence(context.texts(), "ended_sentence", &client_and_device(decision)),
            None => message,
        }
    }

    fn with_list_link(&self, message: MessagePage, context: &PageContext) -> MessagePage {
        if self.has_list { message.with_link(SESSIONS, context.texts().get("nav_sessions")) } else { message }
    }
}

/// Shows the outcome. Only the account that decided sees it.
pub(crate) async fn show(context: &PageContext) -> Result<Response> {
    let code = device_handle(context)?.user_code;
    let decider = Decider::account(context)?;
    let message = match find_decision(context, &code).await? {
        Some(decision) => decider.message(context, &decision).await?,
        None if context.notice() == Some(ENDED) => decider.ended(context, None),
        None if context.site.services.device_flow.find_pending(&code).await?.is_some() => {
            return Ok(see_other(&page_path(context)));
        }
        None => MessagePage::new(context.texts(), MessageKind::Final, "resolved_title", "done_unknown_text")
            .with_link(SESSIONS, context.texts().get("nav_sessions")),
    };
    context.render(StatusCode::OK, PageTemplate::Message, &message)
}

/// Ends the session of the form. It is named by its id, because the page may be older than the record of the decision.
/// A session that has ended already is no error.
pub(crate) async fn end(context: &PageContext) -> Result<Response> {
    device_handle(context)?;
    match context.site.services.sessions.revoke(&context.subject()?, context.form.text("session")).await {
        Err(error) if error.code() != Code::NotFound => Err(error),
        _ => see_other_with_notice(context, &done_path(&page_path(context)), ENDED, None),
    }
}

fn client_and_device(decision: &Decision) -> [(&'static str, &str); 2] {
    [("client", &decision.client_id), ("device", &decision.device_label)]
}
