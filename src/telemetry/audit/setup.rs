//! Audit events of the setup of a standalone server.

use super::{TARGET, request_id};
use crate::domain::id::{AccountId, WorkspaceId};

/// An event about the setup. No variant has a field for a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SetupEvent {
    /// `setup.completed`: the first administrator was created, with a workspace.
    Completed { account_id: AccountId, tenant_id: WorkspaceId },
    /// `setup.init_password_rejected`: a caller presented a wrong `INIT_PASSWORD`.
    InitPasswordRejected,
}

impl SetupEvent {
    pub(crate) fn record(self) {
        match self {
            Self::Completed { account_id, tenant_id } => {
                event!("setup.completed", account_id = %account_id, tenant_id = %tenant_id);
            }
            Self::InitPasswordRejected => event!(failure "setup.init_password_rejected",),
        }
    }
}
