//! The claims of the signed values: state, assertion and approval grant (contract section 6, SSO branch), and the
//! outcome of a decision.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::signed_value::SignedClaims;
use crate::domain::{email::is_email, subject::ACCOUNT_ISSUER};

/// The intent of a sign-in for a device.
pub(super) const DEVICE_FLOW: &str = "device_flow";
/// The intent of a sign-in of an account on the pages of this service.
pub(super) const ACCOUNT: &str = "account_sign_in";

/// The state of a sign-in, from its start to the callback.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StateClaims {
    /// Empty: Dify's name for targets of its web apps.
    pub redirect_url: String,
    /// Empty, too.
    pub app_code: String,
    pub intent: String,
    /// `XXXX-XXXX`, or empty for an account.
    pub user_code: String,
    pub nonce: String,
    /// The path of a page for an account, else empty.
    pub return_to: String,
    pub idp_callback_url: String,
}

impl SignedClaims for StateClaims {
    const AUDIENCE: &'static str = "api.sso.state_envelope";
    const LIFETIME: TimeDelta = TimeDelta::minutes(15);
    const MAX_LIFETIME: TimeDelta = TimeDelta::minutes(20);
}

/// What the enterprise service asserts after a sign-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AssertionClaims {
    pub email: String,
    pub issuer: String,
    pub user_code: String,
    pub nonce: String,
}

impl SignedClaims for AssertionClaims {
    const AUDIENCE: &'static str = "api.device_flow.external_subject_assertion";
    const LIFETIME: TimeDelta = TimeDelta::minutes(5);
    const MAX_LIFETIME: TimeDelta = TimeDelta::minutes(10);
}

impl AssertionClaims {
    /// Whether the lengths of contract E3 hold, and the issuer cannot be taken for that of accounts.
    pub(super) fn is_well_formed(&self) -> bool {
        is_email(&self.email)
            && is_issuer(&self.issuer)
            && (1..=32).contains(&self.user_code.chars().count())
            && (1..=128).contains(&self.nonce.chars().count())
            && self.nonce.chars().all(|c| c.is_ascii_graphic())
    }
}

/// Whether a text can be the issuer of an external identity.
pub(super) fn is_issuer(text: &str) -> bool {
    (1..=255).contains(&text.chars().count()) && text != ACCOUNT_ISSUER && !text.chars().any(char::is_control)
}

/// The content of the cookie with which an external identity decides about one device.
#[derive(Serialize, Deserialize)]
pub(crate) struct GrantClaims {
    /// This server's URL.
    pub iss: String,
    pub subject_email: String,
    pub subject_issuer: String,
    pub user_code: String,
    pub nonce: String,
    pub csrf_token: String,
}

impl SignedClaims for GrantClaims {
    const AUDIENCE: &'static str = "api.device_flow.approval_grant";
    const LIFETIME: TimeDelta = TimeDelta::minutes(5);
    const MAX_LIFETIME: TimeDelta = TimeDelta::minutes(10);
}

/// The content of the cookie with which an external identity sees its decision. It is also encrypted.
#[derive(Serialize, Deserialize)]
pub(super) struct OutcomeClaims {
    /// This server's URL.
    pub iss: String,
    pub subject_email: String,
    pub subject_issuer: String,
    pub client_id: String,
    pub device_label: String,
    /// The session of the device; `None` when it was denied.
    pub token_id: Option<String>,
    pub csrf_token: String,
}

impl SignedClaims for OutcomeClaims {
    const AUDIENCE: &'static str = "dify-openapi.device_flow.outcome";
    const LIFETIME: TimeDelta = TimeDelta::minutes(5);
    const MAX_LIFETIME: TimeDelta = TimeDelta::minutes(10);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_claims_within_the_bounds_are_well_formed() {
        let valid = AssertionClaims {
            email: "ann@partner.example".to_owned(),
            issuer: "https://idp.partner.example".to_owned(),
            user_code: "ABCD-EFGH".to_owned(),
            nonce: "n".to_owned(),
        };
        assert!(valid.is_well_formed());
        let with = |change: fn(&mut AssertionClaims)| {
            let mut claims = valid.clone();
            change(&mut claims);
            claims
        };
        for changed in [
            with(|c| c.email = String::new()),
            with(|c| c.email = "no at sign".to_owned()),
            with(|c| c.email = "two@at@signs".to_owned()),
            with(|c| c.email = "@b".to_owned()),
            with(|c| c.email = format!("{}@b.c", "a".repeat(320))),
            with(|c| c.email = "ann@b.c\n".to_owned()),
            with(|c| c.issuer = String::new()),
            with(|c| c.issuer = "dify:account".to_owned()),
            with(|c| c.issuer = "i".repeat(256)),
            with(|c| c.user_code = String::new()),
            with(|c| c.user_code = "A".repeat(33)),
            with(|c| c.nonce = String::new()),
            with(|c| c.nonce = "n".repeat(129)),
            with(|c| c.nonce = "n n".to_owned()),
        ] {
            assert!(!changed.is_well_formed(), "{changed:?}");
        }
    }
}
