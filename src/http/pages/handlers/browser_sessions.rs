//! The browsers that are signed in to the account, below its devices. Beside Dify there are none.

use axum::response::Response;
use serde::Serialize;

use crate::{
    domain::{Result, browser_session::BrowserSession, caller::ConsoleCaller},
    http::pages::{
        agent_name::agent_name, context::PageContext, display_time::DisplayTime, notice_redirect::see_other_with_notice,
    },
};

/// The notice after the end of a browser's session.
pub(super) const BROWSER_ENDED: &str = "browser_ended";
/// Limit of the browsers that are listed. "Revoke all others" also ends those that are not.
const MAX_LISTED: u64 = 20;

/// A browser in the list.
#[derive(Serialize)]
pub(crate) struct BrowserCard {
    pub id: String,
    /// The browser and its system, if the user agent names them.
    pub name: Option<String>,
    /// Where the session began.
    pub address: Option<String>,
    /// Where it was last used, if that is another address.
    pub last_address: Option<String>,
    pub created: DisplayTime,
    pub last_used: Option<DisplayTime>,
    pub expires: DisplayTime,
    /// Whether this is the browser of the request.
    pub current: bool,
}

impl BrowserCard {
    fn new(session: BrowserSession, caller: &ConsoleCaller) -> Self {
        let user_agent = session.last_user_agent.or(session.user_agent);
        Self {
            current: Some(session.id) == caller.session,
            id: session.id.to_string(),
            name: user_agent.as_deref().and_then(agent_name),
            last_address: session.last_ip.filter(|last| Some(last) != session.created_ip.as_ref()),
            address: session.created_ip,
            created: session.created_at.into(),
            last_used: session.refreshed_at.map(Into::into),
            expires: session.expires_at.into(),
        }
    }
}

/// The browsers of the account.
#[derive(Default, Serialize)]
pub(crate) struct BrowserList {
    /// Newest first.
    pub cards: Vec<BrowserCard>,
    /// The number of all.
    pub total: u64,
    /// The number of those that are not listed.
    pub unlisted: u64,
}

impl BrowserList {
    pub(super) async fn read(context: &PageContext) -> Result<Self> {
        let caller = context.caller()?;
        let found = context.site.services.console.browser_sessions(caller, MAX_LISTED).await?;
        let cards: Vec<_> = found.newest.into_iter().map(|session| BrowserCard::new(session, caller)).collect();
        Ok(Self { unlisted: found.total.saturating_sub(cards.len() as u64), cards, total: found.total })
    }
}

/// Ends the session of one browser, and returns to the list.
pub(crate) async fn end(context: &PageContext) -> Result<Response> {
    context.site.services.console.end_browser_session(context.caller()?, context.path_param("id")).await?;
    see_other_with_notice(context, &context.base_page_url(), BROWSER_ENDED, None)
}
