//! Ending sessions. Each kind asks once more on a page of its own, so that it works without scripts.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::{
    look::Template,
    sessions::{SessionCard, current, on_list},
    visit::{Visit, see_other, with},
};
use crate::domain::{Result, id::TokenId, session::Session};

/// The question.
#[derive(Serialize)]
pub(super) struct ConfirmPage {
    /// What is asked.
    pub title: String,
    /// What it would mean.
    pub text: String,
    /// The session in question.
    pub session: Option<SessionCard>,
    /// Said when the session that the person came from would end.
    pub warning: Option<String>,
    /// Where yes goes.
    pub path: String,
    /// Where no goes.
    pub back: String,
    /// What yes is called.
    pub button: String,
}

/// A question before it is put into words.
struct Question {
    title: &'static str,
    text: &'static str,
    button: &'static str,
    /// Where yes goes.
    path: String,
    /// The session that it names.
    session: Option<Session>,
    /// What to say when the session that the person came from would end.
    warning: Option<&'static str>,
}

/// Asks about one session.
pub(super) async fn confirm_one(visit: &Visit) -> Result<Response> {
    let (session, current) = (session(visit).await?, current(visit).await?);
    let question = Question {
        title: "revoke_title",
        text: "revoke_text",
        button: "revoke",
        path: format!("/device/sessions/{}/revoke", session.id),
        warning: (Some(session.id) == current).then_some("revoke_current"),
        session: Some(session),
    };
    ask(visit, question, current)
}

/// Ends one session.
pub(super) async fn revoke_one(visit: &Visit) -> Result<Response> {
    visit.site.rpc.sessions.revoke(&visit.subject()?, visit.param("id")).await?;
    // Back to the same page of the list.
    Ok(done(&visit.back(), "revoked"))
}

/// Asks about every session but one.
pub(super) async fn confirm_others(visit: &Visit) -> Result<Response> {
    let (kept, current) = (session(visit).await?, current(visit).await?);
    let question = Question {
        title: "revoke_others_title",
        text: "revoke_others_text",
        button: "revoke_others",
        path: format!("/device/sessions/{}/revoke-others", kept.id),
        warning: current.is_some_and(|current| current != kept.id).then_some("revoke_includes_current"),
        session: Some(kept),
    };
    ask(visit, question, current)
}

/// Ends every session but one. The one must be alive, or it would quietly be every session.
pub(super) async fn revoke_others(visit: &Visit) -> Result<Response> {
    let kept = session(visit).await?;
    visit.site.rpc.sessions.revoke_all(&visit.subject()?, Some(kept.id)).await?;
    Ok(done(&visit.home().path(), "others"))
}

/// Asks about every session.
pub(super) async fn confirm_all(visit: &Visit) -> Result<Response> {
    let current = current(visit).await?;
    let question = Question {
        title: "revoke_all_title",
        text: "revoke_all_text",
        button: "revoke_all",
        path: "/device/sessions/revoke-all".to_owned(),
        warning: current.map(|_| "revoke_includes_current"),
        session: None,
    };
    ask(visit, question, current)
}

/// Ends every session.
pub(super) async fn revoke_all(visit: &Visit) -> Result<Response> {
    visit.site.rpc.sessions.revoke_all(&visit.subject()?, None).await?;
    Ok(done(&visit.home().path(), "all"))
}

/// Back to the list, which still marks the session that the person came from.
fn done(list: &str, what: &str) -> Response {
    see_other(&with(list, &format!("done={what}")))
}

fn ask(visit: &Visit, question: Question, current: Option<TokenId>) -> Result<Response> {
    let texts = visit.texts();
    let Question { title, text, button, path, session, warning } = question;
    let page = ConfirmPage {
        title: texts.get(title).to_owned(),
        text: texts.get(text).to_owned(),
        session: session.map(|session| SessionCard::new(session, current)),
        warning: warning.map(|key| texts.get(key).to_owned()),
        path: on_list(&path, current, visit.page()),
        back: on_list("/device/sessions", current, visit.page()),
        button: texts.get(button).to_owned(),
    };
    visit.draw(StatusCode::OK, Template::Confirm, &page)
}

/// The session of the path among the account's own; anyone else's is `not_found`.
async fn session(visit: &Visit) -> Result<Session> {
    visit.site.rpc.sessions.find(&visit.subject()?, visit.param("id")).await
}
