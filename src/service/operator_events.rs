//! Writes the audit events of commands to the log of this server.

use super::context::ServiceContext;
use crate::{domain::Result, telemetry::operator_events};

/// Events that one transaction takes.
const BATCH: u64 = 100;

/// Writes the stored events, each at one replica.
pub(crate) async fn write_stored(context: &ServiceContext) -> Result<()> {
    while context.sql.take_operator_events(BATCH, operator_events::write).await? > 0 {}
    Ok(())
}
