//! The error for a row whose values cannot be decrypted.

use crate::{
    domain::{Code, Error},
    ports::credential_cipher::SealedRow,
};

/// It names the row and nothing of its content. `key` names the key that encrypted it.
pub(super) fn unreadable(row: SealedRow<'_>, key: &str) -> Error {
    let (what, fix) = match row {
        SealedRow::Connection { id, .. } => (format!("The credentials of connection {id}"), "Connect again"),
        SealedRow::WorkspaceClient { workspace, provider } => {
            (format!("The OAuth client of {provider} in workspace {workspace}"), "Enter the client again")
        }
        SealedRow::SystemClient { provider } => {
            (format!("The instance's OAuth client of {provider}"), "Enter the client again")
        }
    };
    Error::new(Code::InternalStateInvariant, format!("{what} cannot be decrypted."))
        .with_hint(format!("{fix}, or restore the key that encrypted them ({key})."))
}
