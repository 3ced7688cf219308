//! The signed-in account's sessions, twenty a page.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::{
    look::Template,
    moment::Moment,
    return_target::ReturnTarget,
    visit::{Visit, see_other, with},
};
use crate::domain::{Code, Error, Result, id::TokenId, page::PageRequest, session::Session};

/// Sessions a page.
const PER_PAGE: u32 = 20;

/// What can have been done, as addresses say, and the texts about it.
const DONE: [(&str, &str); 3] = [("revoked", "done_revoked"), ("others", "done_others"), ("all", "done_all")];

/// A session in the list.
#[derive(Serialize)]
pub(super) struct SessionCard {
    /// Its id, for its links.
    pub id: String,
    /// What the device calls itself.
    pub label: String,
    /// The client.
    pub client: String,
    /// How its token begins.
    pub prefix: String,
    /// When it was issued.
    pub created: Moment,
    /// When it was last seen.
    pub last_used: Option<Moment>,
    /// When it ends.
    pub expires: Moment,
    /// Whether the person came from it.
    pub current: bool,
}

impl SessionCard {
    /// A session, and whether it is the current one.
    pub(super) fn new(session: Session, current: Option<TokenId>) -> Self {
        Self {
            current: Some(session.id) == current,
            id: session.id.to_string(),
            label: session.device_label,
            client: session.client_id,
            prefix: session.prefix,
            created: session.created_at.into(),
            last_used: session.last_used_at.map(Into::into),
            expires: session.expires_at.into(),
        }
    }
}

/// A page of the list.
#[derive(Serialize)]
pub(super) struct SessionsPage {
    /// What has just been done.
    pub done: Option<String>,
    /// The sessions, newest first.
    pub sessions: Vec<SessionCard>,
    /// The id of the one that the person came from, if it is theirs and live.
    pub current: Option<String>,
    /// What its links carry, so that they lead back here.
    pub query: String,
    /// What signs a device in.
    pub command: String,
    /// Sessions in all.
    pub total: u64,
    /// This page, from 1.
    pub number: u64,
    /// Pages in all.
    pub pages: u64,
    /// The page before.
    pub previous: Option<u64>,
    /// The page after.
    pub next: Option<u64>,
}

/// The list. `?current=ID` marks a session: a client that opens this page for its user knows the id of its own session,
/// the `token_id` it was given with the token, and nobody else can know which of them the user sits at.
pub(super) async fn show(visit: &Visit) -> Result<Response> {
    let asked = match visit.query("page") {
        Some(text) => Some(text.parse().map_err(|_| Error::invalid_param("query", "page", "must be a whole number"))?),
        None => None,
    };
    let done = visit.query("done").and_then(|done| DONE.into_iter().find(|(word, _)| *word == done));
    let request = PageRequest::new(asked, None, PER_PAGE)?;
    let found = visit.site.rpc.sessions.list(&visit.subject()?, request).await?;
    let current = current(visit).await?;
    let (number, pages) = (u64::from(request.page), found.total.div_ceil(u64::from(PER_PAGE)).max(1));
    if number > pages {
        // The last sessions of the last page were revoked.
        let last = with(&ReturnTarget::Sessions(current).path(), &format!("page={pages}"));
        return Ok(see_other(&done.map_or_else(|| last.clone(), |(word, _)| with(&last, &format!("done={word}")))));
    }
    let page = SessionsPage {
        done: done.map(|(_, key)| visit.texts().get(key).to_owned()),
        sessions: found.data.into_iter().map(|session| SessionCard::new(session, current)).collect(),
        current: current.map(|id| id.to_string()),
        query: on_list("", current, request.page),
        command: visit.site.login_command.clone(),
        total: found.total,
        number,
        pages,
        previous: (number > 1).then(|| number - 1),
        next: (number < pages).then_some(number + 1),
    };
    visit.draw(StatusCode::OK, Template::Sessions, &page)
}

/// An address that says where in the list it was opened; the first page goes without saying.
pub(super) fn on_list(address: &str, current: Option<TokenId>, page: u32) -> String {
    let marked = current.map_or_else(|| address.to_owned(), |id| with(address, &format!("current={id}")));
    if page > 1 { with(&marked, &format!("page={page}")) } else { marked }
}

/// The session that the person says they came from, among their own live ones; any other is nothing.
pub(super) async fn current(visit: &Visit) -> Result<Option<TokenId>> {
    let Some(named) = visit.current() else { return Ok(None) };
    match visit.site.rpc.sessions.find(&visit.subject()?, &named.to_string()).await {
        Ok(session) => Ok(Some(session.id)),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
