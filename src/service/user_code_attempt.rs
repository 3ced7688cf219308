//! The limit on wrong user codes. A code has 39 bits, so an attacker could guess one (contract section 8).

use super::rate_limiter::RateLimiter;
use crate::{
    domain::{
        Result,
        caller::ClientAddress,
        id::AccountId,
        limit::{Charge, LimitDecision, LimitName},
    },
    telemetry::audit::sign_in::SignInEvent,
};

/// An attempt at a user code.
///
/// It counts as wrong from its start, so that concurrent attempts cannot exceed the limit. A correct attempt is
/// refunded; earlier wrong ones stay counted.
pub(super) struct UserCodeAttempt {
    rate_limiter: RateLimiter,
    charges: Vec<Charge>,
    /// The account that is signed in.
    account: Option<AccountId>,
}

impl UserCodeAttempt {
    /// Counts an attempt by address and account. Over the limit every code, correct or not, is `rate_limited`.
    pub(super) async fn begin(
        rate_limiter: &RateLimiter,
        address: ClientAddress,
        account: Option<AccountId>,
    ) -> Result<Self> {
        let mut charges = vec![rate_limiter.bucket(LimitName::UserCode, format!("address:{}", address.bucket()))];
        charges.extend(account.map(|id| rate_limiter.bucket(LimitName::UserCode, format!("account:{id}"))));
        for charge in &charges {
            if let LimitDecision::Limited(retry_after) = rate_limiter.shared.peek(charge).await? {
                return Err(rate_limiter.limited(LimitName::UserCode, retry_after));
            }
        }
        match rate_limiter.charge(&charges).await? {
            LimitDecision::Allowed => Ok(Self { rate_limiter: rate_limiter.clone(), charges, account }),
            LimitDecision::Limited(retry_after) => Err(rate_limiter.limited(LimitName::UserCode, retry_after)),
        }
    }

    /// Audits the attempt: no grant has this code. It stays counted.
    pub(super) fn reject(&self) {
        SignInEvent::UserCodeRejected { account_id: self.account }.record();
    }

    /// Refunds the attempt: a grant has this code.
    pub(super) async fn succeed(self) -> Result<()> {
        self.rate_limiter.shared.refund(&self.charges).await
    }
}
