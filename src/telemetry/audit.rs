//! The audit trail: typed events on their own target, written whatever the log level (contract section 10).
//! `docs/audit.md` lists them; it is generated from the comments and the fields of the events.

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};

use super::request_id;
use crate::domain::{
    caller::ClientAddress,
    grant::GrantRequest,
    id::{AccountId, TokenId},
    scope::scope_string,
    subject::{Subject, SubjectType},
};

/// The target of audit events.
pub(crate) const TARGET: &str = "audit";

/// An event of the audit trail. No variant has a field for a secret.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub(crate) enum AuditEvent<'a> {
    /// `oauth.device_flow_approved`: an account or SSO user approved a device.
    DeviceFlowApproved {
        subject: &'a Subject,
        request: &'a GrantRequest,
        /// Whether an existing session of the device got the new token.
        rotated: bool,
        expires_at: DateTime<Utc>,
        token_id: TokenId,
    },
    /// `oauth.device_flow_denied`: an account or SSO user denied a device.
    DeviceFlowDenied {
        subject_email: &'a str,
        /// `None` for an SSO user.
        account_id: Option<AccountId>,
        request: &'a GrantRequest,
    },
    /// `oauth.device_flow_rejected`: the server rejected a request for codes or an approval.
    DeviceFlowRejected {
        /// The code of the error.
        reason: &'a str,
        /// `None` when the caller is not known.
        subject: Option<&'a Subject>,
        /// `None` when the grant is not known.
        request: Option<&'a GrantRequest>,
    },
    /// `oauth.sso_denied`: an assertion or a callback of single sign-on was rejected.
    SsoDenied {
        /// Never repeats the assertion.
        reason: &'a str,
    },
    /// `oauth.token_issued`: an operator issued a token without a device.
    TokenIssued {
        subject: &'a Subject,
        client_id: &'a str,
        device_label: &'a str,
        /// Whether an existing session of the label got the new token.
        rotated: bool,
        expires_at: DateTime<Utc>,
        token_id: TokenId,
    },
    /// `oauth.token_expired`: an expired token was presented, and its session was ended.
    TokenExpired { token_id: TokenId, subject_email: &'a str },
    /// `oauth.device_code_cross_ip_poll`: a device polls from another address than the one that requested the code.
    CrossIpPoll {
        /// The address that requested the code.
        creation_ip: IpAddr,
        poll_ip: ClientAddress,
        client_id: &'a str,
    },
    /// `oauth.session_revoked`: a session was revoked.
    SessionRevoked {
        token_id: TokenId,
        /// The email address of the subject, or the cause, such as `operator`.
        by: &'a str,
    },
    /// `oauth.session_renamed`: an account named a session.
    SessionRenamed {
        token_id: TokenId,
        /// The email address of the subject.
        by: &'a str,
        device_label: &'a str,
    },
    /// `openapi.wrong_surface_denied`: a token was used on the other surface.
    WrongSurfaceDenied { subject_type: SubjectType, attempted_path: &'a str, client_id: &'a str, token_id: TokenId },
    /// `openapi.internal_state_invariant`: stored state contradicts an invariant.
    InvariantBroken {
        /// The invariant.
        what: &'a str,
        token_id: Option<TokenId>,
    },
}

/// Writes one event with its origin. Its name is a field, because the name of a `tracing` event is a constant of its
/// call site. `failure` before the name marks an attempt that was refused.
macro_rules! event {
    (@ $name:literal, $outcome:literal, $($fields:tt)*) => {{
        let origin = $crate::telemetry::origin::current();
        let origin = origin.as_deref();
        tracing::info!(
            target: TARGET,
            event = $name,
            outcome = $outcome,
            request_id = request_id::find_current().as_deref(),
            client = origin.map(|origin| tracing::field::display(origin.client)),
            peer = origin.map(|origin| tracing::field::display(origin.peer)),
            user_agent = origin.and_then(|origin| origin.user_agent()),
            operator = $crate::telemetry::origin::operator(),
            $($fields)*
        );
    }};
    (failure $name:literal, $($fields:tt)*) => { event!(@ $name, "failure", $($fields)*) };
    ($name:literal, $($fields:tt)*) => { event!(@ $name, "success", $($fields)*) };
}

// After the macro, which it uses.
pub(crate) mod apps;
pub(crate) mod connections;
pub(crate) mod console_apps;
pub(crate) mod forms;
pub(crate) mod operator;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod workspace;

impl AuditEvent<'_> {
    pub(crate) fn record(&self) {
        match *self {
            Self::DeviceFlowApproved { subject, request, rotated, expires_at, token_id } => event!(
                "oauth.device_flow_approved",
                subject_email = subject.email(),
                account_id = subject.account_id().map(tracing::field::display),
                subject_issuer = subject.stored_issuer(),
                client_id = request.client_id,
                device_label = request.device_label,
                device_ip = %request.created_ip,
                scopes = scope_string(subject.subject_type()),
                subject_type = subject.subject_type().as_str(),
                rotated,
                expires_at = expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
                token_id = %token_id,
            ),
            Self::DeviceFlowDenied { subject_email, account_id, request } => {
                event!(
                    "oauth.device_flow_denied",
                    subject_email,
                    account_id = account_id.map(tracing::field::display),
                    client_id = request.client_id,
                    device_label = request.device_label,
                    device_ip = %request.created_ip,
                );
            }
            Self::DeviceFlowRejected { reason, subject, request } => event!(
                failure "oauth.device_flow_rejected",
                reason,
                subject_type = subject.map(|subject| subject.subject_type().as_str()),
                subject_email = subject.map(Subject::email),
                subject_issuer = subject.map(Subject::stored_issuer),
                client_id = request.map(|request| request.client_id.as_str()),
                device_label = request.map(|request| request.device_label.as_str()),
                device_ip = request.map(|request| tracing::field::display(request.created_ip)),
            ),
            Self::SsoDenied { reason } => event!(failure "oauth.sso_denied", reason),
            Self::TokenIssued { subject, client_id, device_label, rotated, expires_at, token_id } => event!(
                "oauth.token_issued",
                subject_email = subject.email(),
                account_id = subject.account_id().map(tracing::field::display),
                client_id,
                device_label,
                rotated,
                expires_at = expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
                token_id = %token_id,
                by = "operator",
            ),
            Self::TokenExpired { token_id, subject_email } => {
                event!(failure "oauth.token_expired", token_id = %token_id, subject_email);
            }
            Self::CrossIpPoll { creation_ip, poll_ip, client_id } => {
                event!("oauth.device_code_cross_ip_poll", creation_ip = %creation_ip, poll_ip = %poll_ip, client_id);
            }
            Self::SessionRevoked { token_id, by } => event!("oauth.session_revoked", token_id = %token_id, by),
            Self::SessionRenamed { token_id, by, device_label } => {
                event!("oauth.session_renamed", token_id = %token_id, by, device_label);
            }
            Self::WrongSurfaceDenied { subject_type, attempted_path, client_id, token_id } => event!(
                failure "openapi.wrong_surface_denied",
                subject_type = subject_type.as_str(),
                attempted_path,
                client_id,
                token_id = %token_id,
            ),
            Self::InvariantBroken { what, token_id } => {
                event!(failure "openapi.internal_state_invariant", what, token_id = token_id.map(tracing::field::display));
            }
        }
    }
}
