//! One password attempt, counted against the limits of contract section 8.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::Console;
use crate::{
    domain::{
        Code, Error, Result,
        caller::ClientAddress,
        known_browser::KnownBrowser,
        limit::{LimitDecision, LimitName},
        login_limit::{LoginLimit, LoginRule, account_key, account_part, pair_key},
    },
    ports::login_attempt_store::{AttemptOutcome, LoginAttemptStore},
    telemetry::audit::sign_in::SignInEvent,
};

/// An attempt that is open at the store.
pub(super) struct LoginAttempt {
    id: Uuid,
    limits: Vec<LoginLimit>,
    store: Arc<dyn LoginAttemptStore>,
}

impl LoginAttempt {
    pub(super) async fn end(self, outcome: AttemptOutcome) -> Result<()> {
        if self.limits.is_empty() {
            return Ok(());
        }
        self.store.end(self.id, outcome, &self.limits).await
    }
}

impl Console {
    /// Opens an attempt before the password is checked; `rate_limited` over a limit.
    pub(super) async fn begin_login(
        &self,
        email: &str,
        address: ClientAddress,
        browser: Option<&KnownBrowser>,
    ) -> Result<LoginAttempt> {
        let limits = self.login_limits(email, address, browser);
        let (id, store) = (self.context.entropy.uuid_v4()?, Arc::clone(&self.login_attempts));
        let attempt = LoginAttempt { id, limits, store };
        if attempt.limits.is_empty() {
            return Ok(attempt);
        }
        match attempt.store.begin(id, &attempt.limits).await {
            Ok(LimitDecision::Allowed) => Ok(attempt),
            Ok(LimitDecision::Limited(retry_after)) => {
                self.context.metrics.login_failed(true);
                SignInEvent::LoginLocked.record();
                Err(locked(retry_after))
            }
            Err(error) => {
                self.withdrawals.start(id, attempt.limits, attempt.store);
                Err(error)
            }
        }
    }

    /// The limits of an attempt, without those that are off. A browser that the account signed in with has limits of
    /// its own only, so that no other client can lock its person out.
    fn login_limits(&self, email: &str, address: ClientAddress, browser: Option<&KnownBrowser>) -> Vec<LoginLimit> {
        let account = account_part(email);
        let quota = |name| self.context.limits.quota(name);
        let pair = quota(LimitName::Login);
        let delays = LoginRule::Delays { free: pair.count, max_delay: pair.period };
        let failures = |name| (quota(name), LoginRule::Failures(quota(name)));
        let of = |(quota, rule): (_, _), key| (quota, LoginLimit { key, rule });
        let known = browser.filter(|browser| browser.has(&self.keys, email)).map(KnownBrowser::id);
        let limits = match known {
            Some(browser) => vec![
                of((pair, delays), pair_key(&account, &browser)),
                of(failures(LimitName::LoginBrowser), format!("browser:{account}:{browser}")),
            ],
            None => vec![
                of((pair, delays), pair_key(&account, &address.bucket())),
                of(failures(LimitName::LoginAccount), account_key(&account)),
                of(failures(LimitName::LoginAddress), format!("address:{}", address.bucket())),
            ],
        };
        limits.into_iter().filter(|(quota, _)| !quota.is_off()).map(|(_, limit)| limit).collect()
    }
}

fn locked(retry_after: Duration) -> Error {
    Error::new(Code::RateLimited, "Too many wrong passwords. Signing in is locked for now; try again later.")
        .with_retry_after(retry_after)
}
