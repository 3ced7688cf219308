//! The audit trail (contract section 10): typed events on the `audit` target. None has a field a secret could stand in.

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use tracing::info;

use crate::domain::{
    id::{AccountId, TokenId},
    subject::{Subject, SubjectType},
};

/// Something worth keeping a record of.
#[derive(Debug)]
pub enum AuditEvent<'a> {
    /// A device was let in.
    DeviceFlowApproved {
        /// Whom the token speaks for.
        subject: &'a Subject,
        /// The client that asked.
        client_id: &'a str,
        /// What the device calls itself.
        device_label: &'a str,
        /// Scopes, separated by spaces.
        scopes: &'a str,
        /// Whether the device's earlier session was rotated.
        rotated: bool,
        /// When the token ends.
        expires_at: DateTime<Utc>,
        /// The session.
        token_id: TokenId,
    },
    /// A device was turned away.
    DeviceFlowDenied {
        /// Who did.
        subject_email: &'a str,
        /// The client that asked.
        client_id: &'a str,
        /// What the device calls itself.
        device_label: &'a str,
    },
    /// A request of the flow was refused.
    DeviceFlowRejected {
        /// The reason code.
        reason: &'a str,
    },
    /// A token was seen after its end.
    TokenExpired {
        /// The session.
        token_id: TokenId,
        /// Whom it spoke for.
        subject_email: &'a str,
    },
    /// A poll came from another address than the request for the code.
    DeviceCodeCrossIpPoll {
        /// Where the code was asked from.
        creation_ip: IpAddr,
        /// Where the poll came from.
        poll_ip: IpAddr,
    },
    /// A session was ended by someone.
    SessionRevoked {
        /// The session.
        token_id: TokenId,
        /// Whom it spoke for; empty when only the token was shown.
        subject_email: &'a str,
    },
    /// A subject was on the other subject's surface.
    WrongSurfaceDenied {
        /// The session.
        token_id: TokenId,
        /// What the subject is.
        subject_type: SubjectType,
        /// The method asked for.
        method: &'static str,
    },
    /// A stored row contradicts its token's prefix.
    InternalStateInvariant {
        /// The session.
        token_id: TokenId,
    },
    /// A password was wrong.
    LoginFailed {
        /// From where.
        address: IpAddr,
        /// Whose, when there is such an account.
        account_id: Option<AccountId>,
    },
    /// Too many passwords were wrong.
    LoginLocked {
        /// From where.
        address: IpAddr,
    },
}

impl AuditEvent<'_> {
    /// Writes the event to the audit target.
    pub fn record(&self) {
        let time = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        match self {
            Self::DeviceFlowApproved { subject, client_id, device_label, scopes, rotated, expires_at, token_id } => info!(
                target: "audit",
                event = "oauth.device_flow_approved",
                subject_type = subject.subject_type().as_str(),
                subject_email = subject.email(),
                subject_issuer = subject.stored_issuer(),
                account_id = subject.account_id().map(|id| id.to_string()),
                client_id,
                device_label,
                scopes,
                rotated,
                expires_at = time(expires_at),
                %token_id,
            ),
            Self::DeviceFlowDenied { subject_email, client_id, device_label } => {
                info!(target: "audit", event = "oauth.device_flow_denied", subject_email, client_id, device_label);
            }
            Self::DeviceFlowRejected { reason } => info!(target: "audit", event = "oauth.device_flow_rejected", reason),
            Self::TokenExpired { token_id, subject_email } => {
                info!(target: "audit", event = "oauth.token_expired", %token_id, subject_email);
            }
            Self::DeviceCodeCrossIpPoll { creation_ip, poll_ip } => {
                info!(target: "audit", event = "oauth.device_code_cross_ip_poll", %creation_ip, %poll_ip);
            }
            Self::SessionRevoked { token_id, subject_email } => {
                info!(target: "audit", event = "oauth.session_revoked", %token_id, subject_email);
            }
            Self::WrongSurfaceDenied { token_id, subject_type, method } => info!(
                target: "audit",
                event = "openapi.wrong_surface_denied",
                %token_id,
                subject_type = subject_type.as_str(),
                method,
            ),
            Self::InternalStateInvariant { token_id } => {
                info!(target: "audit", event = "oauth.internal_state_invariant", %token_id);
            }
            Self::LoginFailed { address, account_id } => info!(
                target: "audit",
                event = "auth.login_failed",
                %address,
                account_id = account_id.map(|id| id.to_string()),
            ),
            Self::LoginLocked { address } => info!(target: "audit", event = "auth.login_locked", %address),
        }
    }
}
