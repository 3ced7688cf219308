//! The audit trail: typed events on their own target, written whatever the log level (contract section 10).

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::domain::{
    caller::ClientAddress,
    id::{AccountId, AppId, TokenId, WorkspaceId},
    scope::scope_string,
    subject::{Subject, SubjectType},
};

/// The target of audit events.
pub(crate) const TARGET: &str = "audit";

/// Something worth proving later. No variant has a place for a secret.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub(crate) enum AuditEvent<'a> {
    /// `oauth.device_flow_approved`: a person let a device in.
    DeviceFlowApproved {
        /// Whom the token speaks for.
        subject: &'a Subject,
        /// The client.
        client_id: &'a str,
        /// What it calls its device.
        device_label: &'a str,
        /// Whether the device's session was there already.
        rotated: bool,
        /// When the session ends.
        expires_at: DateTime<Utc>,
        /// The session.
        token_id: TokenId,
    },
    /// `oauth.device_flow_denied`: a person turned a device away.
    DeviceFlowDenied {
        /// Who did.
        subject_email: &'a str,
        /// Their account, when it was one.
        account_id: Option<AccountId>,
        /// The client, when it is known.
        client_id: Option<&'a str>,
    },
    /// `oauth.device_flow_rejected`: this server turned an approval away.
    DeviceFlowRejected {
        /// The error's code.
        reason: &'a str,
        /// Who tried, when that is known.
        subject_email: Option<&'a str>,
    },
    /// `oauth.token_expired`: a session was found past its end, and ended.
    TokenExpired {
        /// The session.
        token_id: TokenId,
        /// Whom it spoke for.
        subject_email: &'a str,
    },
    /// `oauth.device_code_cross_ip_poll`: a device polls from elsewhere than it asked.
    CrossIpPoll {
        /// Where it asked.
        creation_ip: IpAddr,
        /// Where it polls.
        poll_ip: ClientAddress,
        /// The client.
        client_id: &'a str,
    },
    /// `oauth.session_revoked`: a session was ended.
    SessionRevoked {
        /// The session.
        token_id: TokenId,
        /// Who ended it, or `operator`.
        by: &'a str,
    },
    /// `app.run.openapi`: an app was run.
    AppRun {
        /// The app.
        app_id: &'a str,
        /// Its workspace.
        tenant_id: WorkspaceId,
        /// For whom.
        subject: &'a Subject,
        /// The surface it came through.
        surface: &'a str,
        /// The session.
        token_id: TokenId,
    },
    /// `app.api_key_created`: an app that had no key of Dify's service API was given one, to forward runs with.
    AppKeyCreated {
        /// The app.
        app_id: AppId,
        /// Its workspace.
        tenant_id: WorkspaceId,
        /// The row of `api_tokens`.
        api_token_id: Uuid,
    },
    /// `openapi.wrong_surface_denied`: a token was used on the other surface.
    WrongSurfaceDenied {
        /// The kind of token.
        subject_type: SubjectType,
        /// The method's pattern.
        route: &'a str,
        /// The session.
        token_id: TokenId,
    },
    /// `openapi.internal_state_invariant`: a stored state that cannot be.
    InvariantBroken {
        /// What disagrees.
        what: &'a str,
        /// The session.
        token_id: Option<TokenId>,
    },
    /// `auth.login_failed`: a wrong email or password.
    LoginFailed {
        /// The account, when there is one: what was typed may be a password.
        account_id: Option<AccountId>,
        /// From where.
        client: ClientAddress,
    },
    /// `auth.service_key_rejected`: a caller presented a wrong service key.
    ServiceKeyRejected { client: ClientAddress },
    /// `auth.login_locked`: too many of those.
    LoginLocked {
        /// From where.
        client: ClientAddress,
    },
}

/// One event; the name is a field, since `tracing` wants its own names fixed.
macro_rules! event {
    ($name:literal, $($fields:tt)*) => {
        tracing::info!(target: TARGET, event = $name, $($fields)*)
    };
}

impl AuditEvent<'_> {
    /// Writes the event.
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
            Self::DeviceFlowRejected { reason, subject_email } => {
                event!("oauth.device_flow_rejected", reason, subject_email);
            }
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
                source = match subject.subject_type() {
                    SubjectType::Account => "oauth_account",
                    SubjectType::ExternalSso => "oauth_sso",
                },
                token_id = %token_id,
            ),
            Self::AppKeyCreated { app_id, tenant_id, api_token_id } => event!(
                "app.api_key_created",
                app_id = %app_id,
                tenant_id = %tenant_id,
                api_token_id = %api_token_id,
            ),
            Self::WrongSurfaceDenied { subject_type, route, token_id } => {
                event!("openapi.wrong_surface_denied", subject_type = subject_type.as_str(), route, token_id = %token_id);
            }
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
