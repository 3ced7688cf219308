//! Revocation of sessions. A separate page requests the confirmation, so that it works without scripts.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::sessions::{ALL_REVOKED, OTHERS_REVOKED, REVOKED, SessionCard, own_current_session};
use crate::{
    domain::{Result, id::TokenId, session::Session},
    http::pages::{
        context::PageContext,
        location::{SESSIONS, with_list_position},
        notice_redirect::see_other_with_notice,
        renderer::PageTemplate,
    },
};

/// The values of the confirmation page.
#[derive(Serialize)]
pub(crate) struct ConfirmPage {
    pub title: String,
    pub text: String,
    /// The session that the question names.
    pub session: Option<SessionCard>,
    /// The warning that the current session would be revoked.
    pub warning: Option<String>,
    /// The path of the form.
    pub path: String,
    /// The address of the list, to leave without revoking.
    pub back: String,
    /// The label of the button.
    pub button: String,
}

/// A question for confirmation, with keys of the texts.
struct Confirmation {
    title: &'static str,
    text: &'static str,
    button: &'static str,
    /// The path of the form.
    path: String,
    /// The session that the question names.
    session: Option<Session>,
    /// The warning that the current session would be revoked.
    warning: Option<&'static str>,
}

/// Shows the confirmation to revoke one session.
pub(crate) async fn confirm_one(context: &PageContext) -> Result<Response> {
    let (session, current) = (session_in_path(context).await?, own_current_session(context).await?);
    let confirmation = Confirmation {
        title: "revoke_title",
        text: "revoke_text",
        button: "revoke",
        path: format!("{SESSIONS}/{}/revoke", session.id),
        warning: (Some(session.id) == current).then_some("revoke_current"),
        session: Some(session),
    };
    render(context, confirmation, current)
}

/// Revokes one session, and returns to the same page of the list.
pub(crate) async fn revoke_one(context: &PageContext) -> Result<Response> {
    context.site.services.sessions.revoke(&context.subject()?, context.path_param("id")).await?;
    see_other_with_notice(context, &context.base_page_url(), REVOKED, None)
}

/// Shows the confirmation to revoke every session but one.
pub(crate) async fn confirm_others(context: &PageContext) -> Result<Response> {
    let (kept, current) = (session_in_path(context).await?, own_current_session(context).await?);
    let confirmation = Confirmation {
        title: "revoke_others_title",
        text: "revoke_others_text",
        button: "revoke_others",
        path: format!("{SESSIONS}/{}/revoke-others", kept.id),
        warning: current.is_some_and(|current| current != kept.id).then_some("revoke_includes_current"),
        session: Some(kept),
    };
    render(context, confirmation, current)
}

/// Revokes every session but one. That one must be live; otherwise this would revoke all sessions.
pub(crate) async fn revoke_others(context: &PageContext) -> Result<Response> {
    let kept = session_in_path(context).await?;
    context.site.services.sessions.revoke_all(&context.subject()?, Some(kept.id)).await?;
    see_other_with_notice(context, &context.base_page().path(), OTHERS_REVOKED, None)
}

/// Shows the confirmation to revoke every session.
pub(crate) async fn confirm_all(context: &PageContext) -> Result<Response> {
    let current = own_current_session(context).await?;
    let confirmation = Confirmation {
        title: "revoke_all_title",
        text: if context.site.standalone { "revoke_all_text" } else { "revoke_all_devices_text" },
        button: "revoke_all",
        path: format!("{SESSIONS}/revoke-all"),
        warning: current.map(|_| "revoke_includes_current"),
        session: None,
    };
    render(context, confirmation, current)
}

/// Revokes every session, and ends those of all other browsers.
pub(crate) async fn revoke_all(context: &PageContext) -> Result<Response> {
    context.site.services.console.end_other_browser_sessions(context.caller()?).await?;
    context.site.services.sessions.revoke_all(&context.subject()?, None).await?;
    see_other_with_notice(context, &context.base_page().path(), ALL_REVOKED, None)
}

fn render(context: &PageContext, confirmation: Confirmation, current: Option<TokenId>) -> Result<Response> {
    let texts = context.texts();
    let Confirmation { title, text, button, path, session, warning } = confirmation;
    let page = ConfirmPage {
        title: texts.get(title).to_owned(),
        text: texts.get(text).to_owned(),
        session: session.map(|session| SessionCard::new(session, current)),
        warning: warning.map(|key| texts.get(key).to_owned()),
        path: with_list_position(&path, current, context.list_page()),
        back: with_list_position(SESSIONS, current, context.list_page()),
        button: texts.get(button).to_owned(),
    };
    context.render(StatusCode::OK, PageTemplate::Confirm, &page)
}

/// The session in the path, if it is one of the account's own; otherwise `not_found`.
async fn session_in_path(context: &PageContext) -> Result<Session> {
    context.site.services.sessions.find(&context.subject()?, context.path_param("id")).await
}
