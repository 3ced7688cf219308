//! The limit on wrong user codes: a code has 39 bits, so guessing is what an attacker would do (contract section 8).

use super::Foundation;
use crate::domain::{
    Result,
    caller::ClientAddress,
    id::AccountId,
    limit::{Charge, LimitDecision, LimitName},
};

/// One attempt at a user code. It counts as wrong from the start, so that any number of attempts at once cannot pass the
/// limit together; one that proves right is taken back, which leaves earlier wrong ones counted.
pub(crate) struct Attempt {
    base: Foundation,
    charges: Vec<Charge>,
}

impl Attempt {
    /// Counts an attempt by address and account. Over the limit every code, right or wrong, is `rate_limited`.
    pub(crate) async fn begin(base: &Foundation, address: ClientAddress, account: Option<AccountId>) -> Result<Self> {
        let mut charges = vec![base.bucket(LimitName::UserCode, format!("address:{}", address.bucket()))];
        charges.extend(account.map(|id| base.bucket(LimitName::UserCode, format!("account:{id}"))));
        for charge in &charges {
            if let LimitDecision::Limited(retry_after) = base.state.peek(charge).await? {
                return Err(base.refuse(LimitName::UserCode, retry_after));
            }
        }
        match base.state.charge(&charges).await? {
            LimitDecision::Allowed => Ok(Self { base: base.clone(), charges }),
            LimitDecision::Limited(retry_after) => Err(base.refuse(LimitName::UserCode, retry_after)),
        }
    }

    /// The code was one we had given out.
    pub(crate) async fn was_right(self) -> Result<()> {
        self.base.state.refund(&self.charges).await
    }
}
