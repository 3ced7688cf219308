//! The audit event of operators' commands.

use super::{TARGET, request_id};

/// `operator.command`: a command that changes or reveals stored data succeeded.
///
/// `command` has its words without arguments, such as `account create`.
pub(crate) fn record_command(command: &str) {
    event!("operator.command", command);
}
