//! The outcome of a decision: which client on which device is signed in as whom, and a form that ends it at once.

use axum::response::Response;
use http::StatusCode;

use super::device::{AGAIN, device_handle, done_path, find_decision, page_path};
use crate::{
    domain::{
        Code, Result,
        recorded_decision::{Decision, DecisionOutcome},
        session::Session,
    },
    http::pages::{
        context::PageContext,
        location::{SESSIONS, see_other},
        message_page::{MessageKind, MessagePage},
        notice_redirect::see_other_with_notice,
        renderer::PageTemplate,
    },
};

/// The notice after the end of the session.
const ENDED: &str = "ended";

/// Shows the outcome. Only the account that decided sees it.
pub(crate) async fn show(context: &PageContext) -> Result<Response> {
    let code = device_handle(context)?.user_code;
    let message = match find_decision(context, &code).await? {
        Some(decision) => match decision.outcome {
            DecisionOutcome::Denied => denied(context, &decision),
            DecisionOutcome::Approved(id) => {
                let found = context.site.services.sessions.find(&context.subject()?, &id.to_string()).await;
                match found {
                    Ok(session) => approved(context, &decision, &session)?,
                    Err(error) if error.code() == Code::NotFound => ended(context, Some(&decision)),
                    Err(error) => return Err(error),
                }
            }
        },
        None if context.notice() == Some(ENDED) => ended(context, None),
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

fn approved(context: &PageContext, decision: &Decision, session: &Session) -> Result<MessagePage> {
    let (texts, account) = (context.texts(), &context.caller()?.account);
    let (title, text) = match context.notice() {
        Some(AGAIN) => ("approved_again_title", "decided_again_text"),
        _ => ("approved_title", "approved_text"),
    };
    let name = if account.name.trim().is_empty() { &account.email } else { &account.name };
    let values = [
        ("client", decision.client_id.as_str()),
        ("device", session.device_label.as_str()),
        ("account", name.as_str()),
    ];
    Ok(MessagePage::new(texts, MessageKind::Success, title, text)
        .with_sentence(texts, "approved_sentence", &values)
        .with_link(SESSIONS, texts.get("nav_sessions"))
        .with_end_form(format!("{}/end", page_path(context)), session.id))
}

fn denied(context: &PageContext, decision: &Decision) -> MessagePage {
    let texts = context.texts();
    let (title, text) = match context.notice() {
        Some(AGAIN) => ("denied_again_title", "decided_again_text"),
        _ => ("denied_title", "close_page"),
    };
    MessagePage::new(texts, MessageKind::Final, title, text)
        .with_sentence(texts, "denied_sentence", &client_and_device(decision))
        .with_commands(context.site.client_commands.of_client(&decision.client_id))
        .with_link(SESSIONS, texts.get("nav_sessions"))
}

fn ended(context: &PageContext, decision: Option<&Decision>) -> MessagePage {
    let texts = context.texts();
    let message = MessagePage::new(texts, MessageKind::Success, "ended_title", "ended_text")
        .with_link(SESSIONS, texts.get("nav_sessions"));
    match decision {
        Some(decision) => message.with_sentence(texts, "ended_sentence", &client_and_device(decision)),
        None => message,
    }
}

fn client_and_device(decision: &Decision) -> [(&'static str, &str); 2] {
    [("client", &decision.client_id), ("device", &decision.device_label)]
}
