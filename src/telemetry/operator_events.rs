//! Audit events of a command: kept while it runs, stored by it, and written to the log of a server.

use std::fmt;

use chrono::SecondsFormat;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

use super::{audit, origin, redact};
use crate::domain::operator_event::OperatorEvent;

/// The field whose members become the fields of the line.
pub(super) const FIELDS: &str = "operator_event_fields";
/// Limit of events of one command. Standard error has all of them, unless it is a terminal.
const MAX_EVENTS: usize = 100_000;

/// The events of this process, as JSON objects. It is static because a process runs one command.
static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps the audit events of a command.
pub(super) struct OperatorEventLayer;

impl<S: Subscriber> Layer<S> for OperatorEventLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != audit::TARGET || origin::operator().is_none() {
            return;
        }
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut events = EVENTS.lock();
        if events.len() < MAX_EVENTS {
            events.push(Value::Object(fields.0).to_string());
        }
    }
}

/// The events since the last call.
pub(crate) fn take() -> Vec<String> {
    std::mem::take(&mut EVENTS.lock())
}

/// Writes an event of a command to the log of this server.
pub(crate) fn write(event: &OperatorEvent) {
    tracing::info!(
        target: audit::TARGET,
        operator_event_fields = event.fields.as_str(),
        event_id = %event.id,
        recorded_at = event.created_at.to_rfc3339_opts(SecondsFormat::Millis, true),
    );
}

/// The members of the fields of a stored event; `None` when they cannot be read.
pub(super) fn members(fields: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(fields).ok()
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, redact::scrub(value).into_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, redact::scrub(&format!("{value:?}")).into_owned());
    }
}
