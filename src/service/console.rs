//! Browser sessions. Standalone: its own accounts, passwords and cookies. Beside Dify: Dify's cookies are verified and
//! nothing is ever issued (contract sections 1 and 6).

pub(crate) mod passport;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use self::passport::{Holder, Passports};
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
        id::{AccountId, BrowserSessionId, WorkspaceId},
        key::KeyRing,
        limit::{LimitDecision, LimitName, Quota},
        secret::{RefreshHash, Secret, hex, sha256_hex},
        workspace::Membership,
    },
    ports::login_attempt_store::{AttemptOutcome, LoginAttemptStore},
    telemetry::audit::AuditEvent,
};

/// What the deployment decides about browser sessions.
#[derive(Clone, Debug)]
pub struct ConsoleSettings {
    /// Lifetime of the access and CSRF tokens.
    pub access_lifetime: TimeDelta,
    /// Lifetime of the refresh token.
    pub refresh_lifetime: TimeDelta,
    /// Whether this service keeps its own browser sessions; beside Dify it does not.
    pub standalone: bool,
}

/// The use cases of browser sessions.
#[derive(Clone)]
pub struct Console {
    context: ServiceContext,
    login_attempts: Arc<dyn LoginAttemptStore>,
    passports: Passports,
    passwords: Passwords,
    settings: ConsoleSettings,
}

/// What a browser is given when it signs in or refreshes.
pub struct Issued {
    /// JWT for the `access_token` cookie.
    pub access_token: Secret,
    /// JWT for the `csrf_token` cookie and header.
    pub csrf_token: Secret,
    /// Opaque, for the `refresh_token` cookie.
    pub refresh_token: Secret,
    /// Whether the cookies outlive the browser.
    pub remember: bool,
}

/// A password attempt that is open.
struct Attempt {
    id: Uuid,
    keys: [String; 2],
    quota: Quota,
}

impl Attempt {
    async fn end(self, store: &dyn LoginAttemptStore, outcome: AttemptOutcome) -> Result<()> {
        if self.quota.is_off() {
            return Ok(());
        }
        store.end(&self.keys, self.id, outcome, self.quota).await
    }
}

impl Console {
    /// Works on these stores.
    pub fn new(
        context: ServiceContext,
        login_attempts: Arc<dyn LoginAttemptStore>,
        keys: Arc<KeyRing>,
        passwords: Passwords,
        settings: ConsoleSettings,
    ) -> Self {
        Self { context, login_attempts, passports: Passports::new(keys), passwords, settings }
    }

    /// Signs in with email and password. Wrong and unknown cost the same and read the same.
    pub async fn login(&self, email: &str, password: Secret, remember: bool, address: ClientAddress) -> Result<Issued> {
        let email = email.trim().to_lowercase();
        let attempt = self.begin(&email, address).await?;
        let (account, right) = match self.judge(&email, password).await {
            Ok(judged) => judged,
            Err(error) => {
                // Best effort: one that stays open is forgotten soon.
                let _ = attempt.end(&*self.login_attempts, AttemptOutcome::Unchecked).await;
                return Err(error);
            }
        };
        let account_id = account.as_ref().map(|account| account.id);
        let Some(account) = account.filter(|account| right && account.is_active()) else {
            // Told only once it is counted.
            attempt.end(&*self.login_attempts, AttemptOutcome::Wrong).await?;
            self.context.metrics.login_failed(false);
            AuditEvent::LoginFailed { account_id, client: address }.record();
            return Err(Error::new(Code::AuthenticationFailed, "The email address or the password is wrong."));
        };
        attempt.end(&*self.login_attempts, AttemptOutcome::Correct).await?;
        let now = self.context.clock.now();
        self.context.sql.record_login(account.id, &address.0.to_string(), now).await?;
        self.start(account.id, remember, now).await
    }

    /// Opens an attempt of this account from this address, or says how long both are locked out.
    async fn begin(&self, email: &str, address: ClientAddress) -> Result<Attempt> {
        let quota = self.context.limits.quota(LimitName::Login);
        // The account's key comes first: a success forgets its failures.
        let keys = [format!("account:{}", sha256_hex(email.as_bytes())), format!("address:{}", address.bucket())];
        let attempt = Attempt { id: self.context.entropy.uuid_v4()?, keys, quota };
        if !quota.is_off()
            && let LimitDecision::Limited(retry_after) =
                self.login_attempts.begin(&attempt.keys, attempt.id, quota).await?
        {
            self.context.metrics.login_failed(true);
            AuditEvent::LoginLocked { client: address }.record();
            return Err(locked(retry_after));
        }
        Ok(attempt)
    }

    /// The account with this address, and whether the password is its; the work is the same without one.
    async fn judge(&self, email: &str, password: Secret) -> Result<(Option<Account>, bool)> {
        // PostgreSQL takes no NUL in a text, and no account has one in its address: nobody's, at the usual cost.
        let found = if email.contains('\0') { None } else { self.context.sql.find_login(email).await? };
        let (account, stored) = match found {
            Some(login) => {
                let salt = login.salt;
                (Some(login.account), login.password.map(|hash| Stored { hash, salt }))
            }
            None => (None, None),
        };
        Ok((account, self.passwords.verify(password, stored).await?))
    }

    async fn start(&self, account: AccountId, remember: bool, now: DateTime<Utc>) -> Result<Issued> {
        let session = BrowserSessionId(self.context.entropy.uuid_v4()?);
        let refresh_token = self.new_refresh_token()?;
        let new = NewBrowserSession {
            id: session,
            account_id: account,
            refresh_hash: RefreshHash::of_token(refresh_token.expose()),
            remember,
            created_at: now,
            expires_at: now + self.settings.refresh_lifetime,
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
        })
    }

    /// Exchanges a refresh token, once. Using one twice ends the session it came from.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Issued> {
        let now = self.context.clock.now();
        let next = self.new_refresh_token()?;
        let (old_hash, new_hash) = (RefreshHash::of_token(refresh_token), RefreshHash::of_token(next.expose()));
        let expires_at = now + self.settings.refresh_lifetime;
        match self.context.sql.rotate_refresh(&old_hash, &new_hash, now, expires_at).await? {
            Refresh::Rotated { session_id: session, account_id: account, remember } => {
                self.issue(session, account, next, remember, now)
            }
            Refresh::Reused | Refresh::Unknown => Err(invalid_session()),
        }
    }

    /// The person behind an access cookie: signature, claims, expiry without leeway, then the account and, standalone, the
    /// session, read each time.
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

    /// Whether a CSRF token is this account's and still good.
    pub fn csrf_holds(&self, csrf_token: &str, account: AccountId) -> bool {
        self.passports.csrf_holds(csrf_token, account, self.context.clock.now())
    }

    /// Ends a browser session at once.
    pub async fn logout(&self, caller: &ConsoleCaller) -> Result<()> {
        match caller.session {
            Some(session) => self.context.sql.delete_browser_session(session).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// The signed-in account's workspaces, oldest first.
    pub async fn workspaces(&self, caller: &ConsoleCaller) -> Result<Vec<Membership>> {
        Ok(self.view(caller).await?.memberships)
    }

    /// Makes a workspace the account's current one; one it has not joined is `not_found`.
    pub async fn switch(&self, caller: &ConsoleCaller, workspace: &str) -> Result<Membership> {
        let unknown = || Error::not_found("There is no such workspace.");
        let workspace: WorkspaceId = workspace.parse().map_err(|_| unknown())?;
        if !self.context.sql.switch_workspace(caller.account.id, workspace, self.context.clock.now()).await? {
            return Err(unknown());
        }
        self.workspaces(caller).await?.into_iter().find(|m| m.workspace_id == workspace).ok_or_else(unknown)
    }

    async fn view(&self, caller: &ConsoleCaller) -> Result<AccountView> {
        self.context.sql.find_account_view(caller.account.id).await?.ok_or_else(invalid_session)
    }
}

fn locked(retry_after: Duration) -> Error {
    Error::new(Code::RateLimited, "Too many wrong passwords. Signing in is locked for now; try again later.")
        .with_retry_after(retry_after)
}

/// The browser's session is not one.
pub(crate) fn invalid_session() -> Error {
    Error::new(Code::InvalidSession, "Your session has ended.").with_hint("Sign in again.")
}
