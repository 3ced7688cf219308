//! Browser sessions (contract sections 1 and 6). Standalone, this service issues its own cookies. Beside Dify, it
//! verifies Dify's cookies and issues none.

mod browser_sessions;
mod login_attempt;
pub(crate) mod passport;
mod withdrawals;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use self::{
    passport::{Holder, Passports},
    withdrawals::Withdrawals,
};
use super::{
    context::ServiceContext,
    password::{Passwords, Stored},
};
use crate::{
    domain::{
        Code, Error, Result,
        account::{Account, AccountView},
        browser_session::{NewBrowserSession, Refresh},
        caller::{ClientAddress, ConsoleCaller},
        email::fold_email,
        id::{AccountId, BrowserSessionId},
        key::KeyRing,
        known_browser::KnownBrowser,
        member::RequiredRole,
        request_origin::RequestOrigin,
        secret::{RefreshHash, Secret, hex},
        workspace::Membership,
    },
    ports::login_attempt_store::{AttemptOutcome, LoginAttemptStore},
    telemetry::audit::sign_in::SignInEvent,
};

#[derive(Clone, Debug)]
pub struct ConsoleSettings {
    /// Lifetime of the access and CSRF tokens.
    pub access_lifetime: TimeDelta,
    /// Lifetime of the refresh token.
    pub refresh_lifetime: TimeDelta,
    /// Whether this service has browser sessions of its own; beside Dify it has none.
    pub standalone: bool,
}

/// Signs people in and authenticates their browser sessions.
#[derive(Clone)]
pub struct Console {
    context: ServiceContext,
    login_attempts: Arc<dyn LoginAttemptStore>,
    withdrawals: Withdrawals,
    keys: Arc<KeyRing>,
    passports: Passports,
    passwords: Passwords,
    settings: ConsoleSettings,
}

/// The tokens of a new or refreshed browser session.
pub struct Issued {
    /// A JWT for the `access_token` cookie.
    pub access_token: Secret,
    /// A JWT for the `csrf_token` cookie and header.
    pub csrf_token: Secret,
    /// An opaque token for the `refresh_token` cookie.
    pub refresh_token: Secret,
    /// Whether the cookies persist after the browser is closed.
    pub remember: bool,
    /// For the `known_browser` cookie; after a sign-in only.
    pub known_browser: Option<Secret>,
}

impl Console {
    pub fn new(
        context: ServiceContext,
        login_attempts: Arc<dyn LoginAttemptStore>,
        keys: Arc<KeyRing>,
        passwords: Passwords,
        settings: ConsoleSettings,
    ) -> Self {
        let passports = Passports::new(Arc::clone(&keys), settings.access_lifetime);
        Self { context, login_attempts, withdrawals: Withdrawals::new(), keys, passports, passwords, settings }
    }

    /// Signs in with email and password. An unknown account costs the same time as a wrong password and gives the same
    /// error. `known_browser` is the value of that cookie.
    pub async fn login(
        &self,
        email: &str,
        password: Secret,
        remember: bool,
        origin: RequestOrigin,
        known_browser: Option<&str>,
    ) -> Result<Issued> {
        let address = origin.address;
        let email = fold_email(email);
        let browser = known_browser.and_then(KnownBrowser::parse);
        let attempt = self.begin_login(&email, address, browser.as_ref()).await?;
        let (account, is_correct) = match self.check_password(&email, password, address).await {
            Ok(result) => result,
            Err(error) => {
                // Best effort: an attempt that stays open expires.
                let _ = attempt.end(AttemptOutcome::Unchecked).await;
                return Err(error);
            }
        };
        let account_id = account.as_ref().map(|account| account.id);
        let Some(account) = account.filter(|account| is_correct && account.is_active()) else {
            // Counted before the response, so that no response exceeds the limit.
            attempt.end(AttemptOutcome::Wrong).await?;
            self.context.metrics.login_failed(false);
            SignInEvent::LoginFailed { account_id }.record();
            return Err(Error::new(Code::AuthenticationFailed, "The email address or the password is wrong."));
        };
        attempt.end(AttemptOutcome::Correct).await?;
        self.start_known(account.id, &email, remember, origin, browser).await
    }

    /// Signs in the active account with an email address that an identity provider has verified; `None` when there is
    /// none. The session ends with the browser.
    pub(crate) async fn sign_in_verified(
        &self,
        email: &str,
        origin: RequestOrigin,
        known_browser: Option<&str>,
    ) -> Result<Option<Issued>> {
        let email = fold_email(email);
        let found = if email.contains('\0') { None } else { self.context.sql.find_login(&email).await? };
        let Some(login) = found.filter(|login| login.account.is_active()) else { return Ok(None) };
        let browser = known_browser.and_then(KnownBrowser::parse);
        self.start_known(login.account.id, &email, false, origin, browser).await.map(Some)
    }

    /// Records the sign-in, and starts a session in a browser that is known for this account from now on.
    async fn start_known(
        &self,
        account: AccountId,
        email: &str,
        remember: bool,
        origin: RequestOrigin,
        browser: Option<KnownBrowser>,
    ) -> Result<Issued> {
        let now = self.context.clock.now();
        self.context.sql.record_login(account, &origin.address.0.to_string(), now).await?;
        let browser = match browser {
            Some(browser) => browser,
            None => KnownBrowser::new(&self.context.entropy.base64url::<16>()?),
        };
        let known_browser = Some(browser.with(&self.keys, email).cookie());
        let issued = self.start(account, remember, origin, now).await?;
        SignInEvent::SignedIn { account_id: account }.record();
        Ok(Issued { known_browser, ..issued })
    }

    /// The account with this email, and whether the password is correct. Takes the same time without an account.
    async fn check_password(
        &self,
        email: &str,
        password: Secret,
        address: ClientAddress,
    ) -> Result<(Option<Account>, bool)> {
        // PostgreSQL rejects NUL in text. No account has one in its email.
        let found = if email.contains('\0') { None } else { self.context.sql.find_login(email).await? };
        let (account, stored) = match found {
            Some(login) => {
                let salt = login.salt;
                (Some(login.account), login.password.map(|hash| Stored { hash, salt }))
            }
            None => (None, None),
        };
        Ok((account, self.passwords.verify(address, password, stored).await?))
    }

    async fn start(
        &self,
        account: AccountId,
        remember: bool,
        origin: RequestOrigin,
        now: DateTime<Utc>,
    ) -> Result<Issued> {
        let session = BrowserSessionId(self.context.entropy.uuid_v4()?);
        let refresh_token = self.new_refresh_token()?;
        let new = NewBrowserSession {
            id: session,
            account_id: account,
            refresh_hash: RefreshHash::of_token(refresh_token.expose()),
            remember,
            created_at: now,
            expires_at: now + self.settings.refresh_lifetime,
            origin,
        };
        self.context.sql.create_browser_session(&new).await?;
        self.issue(session, account, refresh_token, remember, now)
    }

    fn new_refresh_token(&self) -> Result<Secret> {
        Ok(Secret::new(hex(&self.context.entropy.array::<32>()?)))
    }

    fn issue(
        &self,
        session: BrowserSessionId,
        account: AccountId,
        refresh_token: Secret,
        remember: bool,
        now: DateTime<Utc>,
    ) -> Result<Issued> {
        let until = now + self.settings.access_lifetime;
        Ok(Issued {
            access_token: self.passports.access_token(account, session, until)?,
            csrf_token: self.passports.csrf_token(account, until)?,
            refresh_token,
            remember,
            known_browser: None,
        })
    }

    /// Exchanges a refresh token, once. `None` when another request of the same browser has just done so; any other
    /// second use ends the session.
    pub async fn refresh(&self, refresh_token: &str, origin: &RequestOrigin) -> Result<Option<Issued>> {
        let now = self.context.clock.now();
        let next = self.new_refresh_token()?;
        let (old_hash, new_hash) = (RefreshHash::of_token(refresh_token), RefreshHash::of_token(next.expose()));
        let expires_at = now + self.settings.refresh_lifetime;
        match self.context.sql.rotate_refresh(&old_hash, &new_hash, now, expires_at, origin).await? {
            Refresh::Rotated { session_id: session, account_id: account, remember } => {
                self.issue(session, account, next, remember, now).map(Some)
            }
            Refresh::Superseded => Ok(None),
            Refresh::Reused | Refresh::Unknown => Err(invalid_session()),
        }
    }

    /// The account of an access cookie. Checks signature, claims and expiry without leeway, and reads the account and,
    /// standalone, the session from SQL.
    pub async fn authenticate(&self, access_token: &str) -> Result<ConsoleCaller> {
        let now = self.context.clock.now();
        let Holder { account: id, session } = self.passports.holder(access_token, now).ok_or_else(invalid_session)?;
        let (account, session) = if self.settings.standalone {
            let session = session.ok_or_else(invalid_session)?;
            (self.context.sql.find_browser_session(session, id, now).await?, Some(session))
        } else {
            (self.context.sql.find_account_view(id).await?.map(|view| view.account), None)
        };
        let account = account.filter(Account::is_active).ok_or_else(invalid_session)?;
        Ok(ConsoleCaller { account, session })
    }

    /// Whether a CSRF token belongs to this account and has not expired.
    pub fn csrf_holds(&self, csrf_token: &str, account: AccountId) -> bool {
        self.passports.csrf_holds(csrf_token, account, self.context.clock.now())
    }

    /// Ends the browser session.
    pub async fn logout(&self, caller: &ConsoleCaller) -> Result<()> {
        if let Some(session) = caller.session {
            self.context.sql.delete_browser_session(session).await?;
        }
        SignInEvent::SignedOut { account_id: caller.account.id }.record();
        Ok(())
    }

    /// The signed-in account's workspaces, oldest first.
    pub async fn workspaces(&self, caller: &ConsoleCaller) -> Result<Vec<Membership>> {
        Ok(self.view(caller).await?.memberships)
    }

    /// The signed-in account's current workspace. Fails with `not_found` without one.
    pub async fn current_workspace(&self, caller: &ConsoleCaller) -> Result<Membership> {
        self.context.current_membership(caller, RequiredRole::Any).await
    }

    /// Makes a workspace the account's current one. Fails with `not_found` for one that it has not joined.
    pub async fn switch(&self, caller: &ConsoleCaller, workspace: &str) -> Result<Membership> {
        self.context.switch_account(caller.account.id, &caller.account.email, workspace, None).await
    }

    async fn view(&self, caller: &ConsoleCaller) -> Result<AccountView> {
        self.context.sql.find_account_view(caller.account.id).await?.ok_or_else(invalid_session)
    }
}

pub(crate) fn invalid_session() -> Error {
    Error::new(Code::InvalidSession, "Your session has ended.").with_hint("Sign in again.")
}
