//! The list of the signed-in account's sessions.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::browser_sessions::{BROWSER_ENDED, BrowserList};
use crate::{
    domain::{Code, Error, Result, client_commands::ClientCommand, id::TokenId, page::PageRequest, session::Session},
    http::pages::{
        agent_name::agent_name,
        context::PageContext,
        display_time::DisplayTime,
        location::{see_other, with_list_position, with_parameter},
        notice_redirect::see_other_with_notice,
        renderer::PageTemplate,
        return_target::ReturnTarget,
    },
};

const SESSIONS_PER_PAGE: u32 = 20;

/// Notices after a revocation.
pub(super) const REVOKED: &str = "revoked";
pub(super) const OTHERS_REVOKED: &str = "others_revoked";
pub(super) const ALL_REVOKED: &str = "all_revoked";
/// The notice after naming a session.
pub(super) const RENAMED: &str = "renamed";
/// The notices with the keys of their texts.
const DONE: [(&str, &str); 5] = [
    (REVOKED, "done_revoked"),
    (OTHERS_REVOKED, "done_others"),
    (ALL_REVOKED, "done_all"),
    (RENAMED, "done_renamed"),
    (BROWSER_ENDED, "done_browser_ended"),
];

/// A session in the list.
#[derive(Serialize)]
pub(crate) struct SessionCard {
    pub id: String,
    /// The name of the session, or the label that the device gave itself.
    pub label: String,
    /// The client id.
    pub client: String,
    /// The first characters of the token.
    pub prefix: String,
    /// The program with which the session began, if it is known.
    pub agent: Option<String>,
    /// The address at which it began, if it is known.
    pub address: Option<String>,
    pub created: DisplayTime,
    pub last_used: Option<DisplayTime>,
    /// The program that used it last, if it is known.
    pub last_agent: Option<String>,
    /// The address at which it was last used, if it is known.
    pub last_address: Option<String>,
    pub expires: DisplayTime,
    /// Whether this is the session from which the person opened the list.
    pub current: bool,
}

impl SessionCard {
    pub(super) fn new(session: Session, current: Option<TokenId>) -> Self {
        Self {
            current: Some(session.id) == current,
            id: session.id.to_string(),
            label: session.device_label,
            client: session.client_id,
            prefix: session.prefix,
            agent: session.user_agent.as_deref().and_then(agent_name),
            address: session.created_ip,
            created: session.created_at.into(),
            last_used: session.last_used_at.map(Into::into),
            last_agent: session.last_user_agent.as_deref().and_then(agent_name),
            last_address: session.last_ip,
            expires: session.expires_at.into(),
        }
    }
}

/// The values of one page of the list.
#[derive(Serialize)]
pub(crate) struct SessionsPage {
    /// The text about what was just done.
    pub done: Option<String>,
    /// Newest first.
    pub sessions: Vec<SessionCard>,
    /// The id of the current session.
    pub current: Option<String>,
    /// The query of the links, with which they lead back to this page of the list.
    pub query: String,
    /// The commands with which devices sign in.
    pub commands: Vec<ClientCommand>,
    /// The browsers of the account.
    pub browsers: BrowserList,
    /// The number of sessions on all pages.
    pub total: u64,
    /// The number of this page, from 1.
    pub number: u64,
    /// The number of pages.
    pub pages: u64,
    /// The number of the previous page.
    pub previous: Option<u64>,
    /// The number of the next page.
    pub next: Option<u64>,
}

/// Shows a page of the list. `?current=ID` marks a session: a client that opens this page in a browser knows the id of
/// its own session, the `token_id` that it received with its token.
pub(crate) async fn show(context: &PageContext) -> Result<Response> {
    let number = match context.query_param("page") {
        Some(text) => Some(text.parse().map_err(|_| Error::invalid_param("query", "page", "must be a whole number"))?),
        None => None,
    };
    let done = context.notice().and_then(|notice| DONE.into_iter().find(|(word, _)| *word == notice));
    let request = PageRequest::new(number, None, SESSIONS_PER_PAGE)?;
    let found = context.site.services.sessions.list(&context.subject()?, request).await?;
    let current = own_current_session(context).await?;
    let (number, pages) = (u64::from(request.page), found.total.div_ceil(u64::from(SESSIONS_PER_PAGE)).max(1));
    if number > pages {
        // The last sessions of the last page were revoked.
        let last = with_parameter(&ReturnTarget::Sessions(current).path(), &format!("page={pages}"));
        return match done {
            Some((word, _)) => see_other_with_notice(context, &last, word, None),
            None => Ok(see_other(&last)),
        };
    }
    let page = SessionsPage {
        done: done.map(|(_, key)| context.texts().get(key).to_owned()),
        sessions: found.data.into_iter().map(|session| SessionCard::new(session, current)).collect(),
        current: current.map(|id| id.to_string()),
        query: with_list_position("", current, request.page),
        commands: context.commands(),
        browsers: BrowserList::read(context).await?,
        total: found.total,
        number,
        pages,
        previous: (number > 1).then(|| number - 1),
        next: (number < pages).then_some(number + 1),
    };
    context.render(StatusCode::OK, PageTemplate::Sessions, &page)
}

/// The current session that the query names, if it is one of the account's own live sessions.
pub(super) async fn own_current_session(context: &PageContext) -> Result<Option<TokenId>> {
    let Some(id) = context.current_session_id() else { return Ok(None) };
    match context.site.services.sessions.find(&context.subject()?, &id.to_string()).await {
        Ok(session) => Ok(Some(session.id)),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
