//! Stores the audit events of a command, so that a running server writes them to its log.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{Arc, OnceLock},
};

use crate::{
    ports::clock::{Clock as _, SystemClock},
    store::sql::SqlStore,
    telemetry::operator_events,
};

/// The store of this command. It is static because a process runs one command.
static STORE: OnceLock<Arc<SqlStore>> = OnceLock::new();

/// Names the store to which the events go.
pub(super) fn set_store(sql: &Arc<SqlStore>) {
    let _ = STORE.set(Arc::clone(sql));
}

/// Stores the events so far. A failure is a warning, because standard error has them as well: a terminal gets them
/// now.
pub(super) async fn store() {
    let events = operator_events::take();
    let Some(sql) = STORE.get().filter(|_| !events.is_empty()) else { return };
    if let Err(error) = sql.store_operator_events(&events, SystemClock.now()).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the audit events of this command were not stored, so no server writes them to its log"
        );
        let mut screen = io::stderr();
        if screen.is_terminal() {
            for event in &events {
                // A terminal that was closed meanwhile.
                let _ = writeln!(screen, "audit: {event}");
            }
        }
    }
}
