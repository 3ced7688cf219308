//! Audit events of sign-ins: browser sessions, codes of devices, and credentials that were refused.

use super::{TARGET, request_id};
use crate::domain::id::{AccountId, TokenId};

/// An event about a sign-in. No variant has a field for a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SignInEvent<'a> {
    /// `auth.signed_in`: a browser session began.
    SignedIn { account_id: AccountId },
    /// `auth.signed_out`: an account ended its browser session.
    SignedOut { account_id: AccountId },
    /// `auth.browser_sessions_ended`: an account ended browser sessions of its own from the list.
    BrowserSessionsEnded { account_id: AccountId, sessions: u64 },
    /// `auth.login_failed`: an email address or a password was wrong.
    LoginFailed {
        /// `None` when no account has the entered email address. The entered text is not logged: it may be a password.
        account_id: Option<AccountId>,
    },
    /// `auth.login_locked`: an attempt was rejected after too many failed ones.
    LoginLocked,
    /// `auth.csrf_rejected`: a request with a browser session did not come from a page of this site.
    CsrfRejected {
        /// Such as `DeviceFlowService.ApproveDevice`.
        method: &'a str,
    },
    /// `auth.service_key_rejected`: a caller presented a wrong service key, such as for introspection.
    ServiceKeyRejected {
        /// Such as `TokenService.Introspect`.
        method: &'a str,
    },
    /// `oauth.device_code_issued`: a device got its codes.
    DeviceCodeIssued { client_id: &'a str, device_label: &'a str },
    /// `oauth.user_code_rejected`: no pending grant has the entered code.
    UserCodeRejected {
        /// `None` for a person who is not signed in.
        account_id: Option<AccountId>,
    },
    /// `oauth.token_delivered`: a poll returned the token of an approved device.
    TokenDelivered { token_id: TokenId, client_id: &'a str },
}

impl SignInEvent<'_> {
    pub(crate) fn record(&self) {
        match *self {
            Self::SignedIn { account_id } => event!("auth.signed_in", account_id = %account_id),
            Self::SignedOut { account_id } => event!("auth.signed_out", account_id = %account_id),
            Self::BrowserSessionsEnded { account_id, sessions } => {
                event!("auth.browser_sessions_ended", account_id = %account_id, sessions);
            }
            Self::LoginFailed { account_id } => {
                event!(failure "auth.login_failed", account_id = account_id.map(tracing::field::display));
            }
            Self::LoginLocked => event!(failure "auth.login_locked",),
            Self::CsrfRejected { method } => event!(failure "auth.csrf_rejected", method),
            Self::ServiceKeyRejected { method } => event!(failure "auth.service_key_rejected", method),
            Self::DeviceCodeIssued { client_id, device_label } => {
                event!("oauth.device_code_issued", client_id, device_label);
            }
            Self::UserCodeRejected { account_id } => {
                event!(failure "oauth.user_code_rejected", account_id = account_id.map(tracing::field::display));
            }
            Self::TokenDelivered { token_id, client_id } => {
                event!("oauth.token_delivered", token_id = %token_id, client_id);
            }
        }
    }
}
