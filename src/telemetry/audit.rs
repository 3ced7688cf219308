//! The audit trail: typed events on their own target, written whatever the log level (contract section 10).

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::domain::{
    caller::ClientAddress,
    grant::GrantRequest,
    id::{AccountId, AppId, TokenId, WorkspaceId},
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
        client_id: &'a str,
        device_label: &'a str,
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
        /// `None` when the grant is not known.
        client_id: Option<&'a str>,
    },
    /// `oauth.device_flow_rejected`: the server rejected an approval.
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
        client: ClientAddress,
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
    /// `app.run.openapi`: an app was run. Field names are those of Dify.
    AppRun { app_id: &'a str, tenant_id: WorkspaceId, subject: &'a Subject, surface: &'a str, token_id: TokenId },
    /// `app.access_mode_changed`: an operator changed the access mode of an app.
    AccessModeChanged {
        app_id: AppId,
        mode: &'a str,
        /// The number of accounts that may use it when it is private.
        allowed: usize,
    },
    /// `app.api_key_created`: an app got a key of Dify's service API, with which runs are forwarded.
    AppKeyCreated {
        app_id: AppId,
        tenant_id: WorkspaceId,
        /// The row of `api_tokens`.
        api_token_id: Uuid,
    },
    /// `openapi.wrong_surface_denied`: a token was used on the other surface.
    WrongSurfaceDenied { subject_type: SubjectType, attempted_path: &'a str, client_id: &'a str, token_id: TokenId },
    /// `openapi.internal_state_invariant`: stored state contradicts an invariant.
    InvariantBroken {
        /// The invariant.
        what: &'a str,
        token_id: Option<TokenId>,
    },
    /// `auth.login_failed`: a wrong email or password.
    LoginFailed {
        /// `None` when no account has the entered email address. The entered text is not logged: it may be a password.
        account_id: Option<AccountId>,
        client: ClientAddress,
    },
    /// `auth.service_key_rejected`: a caller presented a wrong service key.
    ServiceKeyRejected { client: ClientAddress },
    /// `auth.login_locked`: an attempt was rejected after too many failed ones.
    LoginLocked { client: ClientAddress },
}

/// Writes one event. Its name is a field, because the name of a `tracing` event is a constant of its call site.
macro_rules! event {
    ($name:literal, $($fields:tt)*) => {
        tracing::info!(target: TARGET, event = $name, $($fields)*)
    };
}

impl AuditEvent<'_> {
    pub(crate) fn record(&self) {
        match *self {
            Self::DeviceFlowApproved { subject, client_id, device_label, rotated, expires_at, token_id } => event!(
                "oauth.device_flow_approved",
                subject_email = subject.email(),
                account_id = subject.account_id().map(tracing::field::display),
                subject_issuer = subject.stored_issuer(),
                client_id,
                device_label,
                scopes = scope_string(subject.subject_type()),
                subject_type = subject.subject_type().as_str(),
                rotated,
                expires_at = expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
                token_id = %token_id,
            ),
            Self::DeviceFlowDenied { subject_email, account_id, client_id } => {
                event!(
                    "oauth.device_flow_denied",
                    subject_email,
                    account_id = account_id.map(tracing::field::display),
                    client_id
                );
            }
            Self::DeviceFlowRejected { reason, subject, request } => event!(
                "oauth.device_flow_rejected",
                reason,
                subject_type = subject.map(|subject| subject.subject_type().as_str()),
                subject_email = subject.map(Subject::email),
                subject_issuer = subject.map(Subject::stored_issuer),
                client_id = request.map(|request| request.client_id.as_str()),
                device_label = request.map(|request| request.device_label.as_str()),
            ),
            Self::SsoDenied { reason, client } => event!("oauth.sso_denied", reason, client = %client),
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
                event!("oauth.token_expired", token_id = %token_id, subject_email);
            }
            Self::CrossIpPoll { creation_ip, poll_ip, client_id } => {
                event!("oauth.device_code_cross_ip_poll", creation_ip = %creation_ip, poll_ip = %poll_ip, client_id);
            }
            Self::SessionRevoked { token_id, by } => event!("oauth.session_revoked", token_id = %token_id, by),
            Self::AppRun { app_id, tenant_id, subject, surface, token_id } => event!(
                "app.run.openapi",
                app_id,
                tenant_id = %tenant_id,
                subject = subject.email(),
                surface,
                source = run_source(subject.subject_type()),
                token_id = %token_id,
            ),
            Self::AccessModeChanged { app_id, mode, allowed } => {
                event!("app.access_mode_changed", app_id = %app_id, mode, allowed, by = "operator");
            }
            Self::AppKeyCreated { app_id, tenant_id, api_token_id } => event!(
                "app.api_key_created",
                app_id = %app_id,
                tenant_id = %tenant_id,
                api_token_id = %api_token_id,
            ),
            Self::WrongSurfaceDenied { subject_type, attempted_path, client_id, token_id } => event!(
                "openapi.wrong_surface_denied",
                subject_type = subject_type.as_str(),
                attempted_path,
                client_id,
                token_id = %token_id,
            ),
            Self::InvariantBroken { what, token_id } => {
                event!("openapi.internal_state_invariant", what, token_id = token_id.map(tracing::field::display));
            }
            Self::LoginFailed { account_id, client } => {
                event!("auth.login_failed", account_id = account_id.map(tracing::field::display), client = %client);
            }
            Self::ServiceKeyRejected { client } => event!("auth.service_key_rejected", client = %client),
            Self::LoginLocked { client } => event!("auth.login_locked", client = %client),
        }
    }
}

/// The `source` of a run, as Dify names it.
const fn run_source(subject_type: SubjectType) -> &'static str {
    match subject_type {
        SubjectType::Account => "oauth_account",
        SubjectType::ExternalSso => "oauth_sso",
    }
}
