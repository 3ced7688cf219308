//! One password attempt, counted against the limits of contract section 8.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};
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

/// Seconds after which an attempt is withdrawn whose opening got no reply. Later, it has nearly expired.
const WITHDRAWAL_SECONDS: [u64; 4] = [1, 3, 7, 15];
/// Withdrawals at one time. Attempts beyond them expire.
const MAX_WITHDRAWALS: usize = 64;

/// Withdraws attempts that the store may have opened although its reply was lost, so that an outage does not count as
/// wrong passwords.
#[derive(Clone)]
pub(super) struct Withdrawals(Arc<Semaphore>);

impl Withdrawals {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WITHDRAWALS)))
    }

    /// Withdraws in the background, as soon as the store replies again.
    fn start(&self, attempt: LoginAttempt) {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else { return };
        let began = Instant::now();
        tokio::spawn(async move {
            for seconds in WITHDRAWAL_SECONDS {
                sleep_until(began + Duration::from_secs(seconds)).await;
                if attempt.store.end(attempt.id, AttemptOutcome::Unchecked, &attempt.limits).await.is_ok() {
                    break;
                }
            }
            drop(permit);
        });
    }
}

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
                self.withdrawals.start(attempt);
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
