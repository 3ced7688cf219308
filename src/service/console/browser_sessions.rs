//! The account's own browser sessions: their list, and their end. Beside Dify there are none.

use super::Console;
use crate::{
    domain::{Error, Result, browser_session::BrowserSessions, caller::ConsoleCaller, id::BrowserSessionId},
    telemetry::audit::sign_in::SignInEvent,
};

impl Console {
    /// The newest live browser sessions of the account, `limit` at most.
    pub async fn browser_sessions(&self, caller: &ConsoleCaller, limit: u64) -> Result<BrowserSessions> {
        if caller.session.is_none() {
            return Ok(BrowserSessions::default());
        }
        self.context.sql.list_browser_sessions(caller.account.id, limit, self.context.clock.now()).await
    }

    /// Ends one browser session of the account. Fails with `not_found` for all others.
    pub async fn end_browser_session(&self, caller: &ConsoleCaller, id: &str) -> Result<()> {
        let unknown = || Error::not_found("There is no such browser session.");
        let id: BrowserSessionId = id.parse().map_err(|_| unknown())?;
        if !self.context.sql.end_browser_session(caller.account.id, id).await? {
            return Err(unknown());
        }
        SignInEvent::BrowserSessionsEnded { account_id: caller.account.id, sessions: 1 }.record();
        Ok(())
    }

    /// Ends every browser session of the account except the caller's.
    pub async fn end_other_browser_sessions(&self, caller: &ConsoleCaller) -> Result<()> {
        let Some(kept) = caller.session else { return Ok(()) };
        let sessions = self.context.sql.end_other_browser_sessions(caller.account.id, kept).await?;
        if sessions > 0 {
            SignInEvent::BrowserSessionsEnded { account_id: caller.account.id, sessions }.record();
        }
        Ok(())
    }
}
