//! Ending sessions. Each kind asks once more on a page of its own, so that it works without scripts.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::{
    look::Template,
    sessions::SessionCard,
    visit::{Visit, see_other},
};
use crate::domain::{Result, session::Session};

/// The question.
#[derive(Serialize)]
pub struct ConfirmPage {
    /// What is asked.
    pub title: String,
    /// What it would mean.
    pub text: String,
    /// The session in question.
    pub session: Option<SessionCard>,
    /// Where yes goes.
    pub path: String,
    /// What yes is called.
    pub button: String,
}

/// Asks about one session.
pub async fn confirm_one(visit: &Visit) -> Result<Response> {
    let session = session(visit).await?;
    ask(visit, "revoke_title", "revoke_text", "revoke", Some(session))
}

/// Ends one session.
pub async fn revoke_one(visit: &Visit) -> Result<Response> {
    visit.site.rpc.sessions.revoke(&visit.subject()?, visit.param("id")).await?;
    Ok(see_other("/device/sessions?done=revoked"))
}

/// Asks about every session but one.
pub async fn confirm_others(visit: &Visit) -> Result<Response> {
    let session = session(visit).await?;
    ask(visit, "revoke_others_title", "revoke_others_text", "revoke_others", Some(session))
}

/// Ends every session but one. The one must be alive, or it would quietly be every session.
pub async fn revoke_others(visit: &Visit) -> Result<Response> {
    let kept = session(visit).await?;
    visit.site.rpc.sessions.revoke_all(&visit.subject()?, Some(kept.id)).await?;
    Ok(see_other("/device/sessions?done=others"))
}

/// Asks about every session.
pub fn confirm_all(visit: &Visit) -> Result<Response> {
    ask(visit, "revoke_all_title", "revoke_all_text", "revoke_all", None)
}

/// Ends every session.
pub async fn revoke_all(visit: &Visit) -> Result<Response> {
    visit.site.rpc.sessions.revoke_all(&visit.subject()?, None).await?;
    Ok(see_other("/device/sessions?done=all"))
}

fn ask(
    visit: &Visit,
    title: &'static str,
    text: &'static str,
    button: &'static str,
    session: Option<Session>,
) -> Result<Response> {
    let texts = visit.texts();
    let path = match &session {
        Some(session) if button == "revoke" => format!("/device/sessions/{}/revoke", session.id),
        Some(session) => format!("/device/sessions/{}/revoke-others", session.id),
        None => "/device/sessions/revoke-all".to_owned(),
    };
    let page = ConfirmPage {
        title: texts.get(title).to_owned(),
        text: texts.get(text).to_owned(),
        session: session.map(Into::into),
        path,
        button: texts.get(button).to_owned(),
    };
    visit.draw(StatusCode::OK, Template::Confirm, &page)
}

/// The session of the path among the account's own; anyone else's is `not_found`.
async fn session(visit: &Visit) -> Result<Session> {
    visit.site.rpc.sessions.find(&visit.subject()?, visit.param("id")).await
}
