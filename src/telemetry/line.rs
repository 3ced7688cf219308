//! Formats events as lines of text or JSON. The JSON formatter of `tracing-subscriber` costs several times the work of
//! a cheap request, so this crate has its own.

use std::{
    cell::RefCell,
    error::Error,
    fmt::{self, Write as _},
    time::{SystemTime, UNIX_EPOCH},
};

use chrono::DateTime;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

use super::{access, audit, operator_events, redact, sink::Sink, trace};
use crate::config::telemetry::LogFormat;

/// Writes every event as one line into a sink, with the ids of trace and span inside a request. Spans are not part of
/// lines; events that need the request id have it as a field.
pub struct LineLayer {
    format: LogFormat,
    sink: Sink,
    hides_audit: bool,
}

impl LineLayer {
    pub fn new(format: LogFormat, sink: Sink) -> Self {
        Self { format, sink, hides_audit: false }
    }

    /// Leaves audit events out.
    #[must_use]
    pub(super) fn hiding_audit(self, hides_audit: bool) -> Self {
        Self { hides_audit, ..self }
    }
}

/// Buffers that a thread reuses for each line.
#[derive(Default)]
struct Buffers {
    line: String,
    fields: String,
    value: String,
    /// The Unix time that `stamp` was formatted for, in seconds.
    second: u64,
    stamp: String,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl<S: Subscriber> Layer<S> for LineLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if self.hides_audit && event.metadata().target() == audit::TARGET {
            return;
        }
        BUFFERS.with(|buffers| match buffers.try_borrow_mut() {
            Ok(mut buffers) => self.write(event, &mut buffers),
            // A value writes an event while it is being formatted.
            Err(_) => self.write(event, &mut Buffers::default()),
        });
    }
}

impl LineLayer {
    fn write(&self, event: &Event<'_>, buffers: &mut Buffers) {
        let metadata = event.metadata();
        buffers.line.clear();
        let micros = buffers.stamp_now();
        // The event of the access log has the ids as fields, because most requests end outside their scope.
        let place = trace::current_place().filter(|_| metadata.target() != access::TARGET);
        let Buffers { line, fields, value, stamp, .. } = buffers;
        match self.format {
            LogFormat::Json => {
                let level = metadata.level().as_str();
                let _ = write!(line, r#"{{"ts":"{stamp}.{micros:06}Z","level":"{level}","target":""#);
                // Targets and names of fields are words of the code, which need no escapes.
                line.push_str(metadata.target());
                line.push('"');
                event.record(&mut JsonFields { line, value });
                if let Some(place) = &place {
                    let (trace, span) = (place.trace_id(), place.span_id());
                    let _ = write!(line, r#","trace_id":"{trace}","span_id":"{span}""#);
                }
                line.push_str("}\n");
            }
            LogFormat::Text => {
                fields.clear();
                let _ = write!(
                    line,
                    "{stamp}.{:03}Z {:>5} {}:",
                    micros / 1_000,
                    metadata.level().as_str(),
                    metadata.target()
                );
                // The message comes before the other fields.
                event.record(&mut TextFields { line, fields, value });
                line.push_str(fields);
                if let Some(place) = &place {
                    let _ = write!(line, " trace_id={} span_id={}", place.trace_id(), place.span_id());
                }
                line.push('\n');
            }
        }
        self.sink.line(line.as_bytes(), metadata.target() == audit::TARGET);
        for buffer in [line, fields, value] {
            buffer.shrink_to(4 << 10);
        }
    }
}

impl Buffers {
    /// Updates `stamp` to the current second, and returns the microseconds within it.
    fn stamp_now(&mut self) -> u32 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != now.as_secs() || self.stamp.is_empty() {
            self.second = now.as_secs();
            self.stamp.clear();
            let time = i64::try_from(self.second).ok().and_then(|second| DateTime::from_timestamp(second, 0));
            let _ = write!(self.stamp, "{}", time.unwrap_or_default().format("%Y-%m-%dT%H:%M:%S"));
        }
        now.subsec_micros()
    }
}

/// The control characters, `"` and `\`. A table, because nearly all bytes of a line pass it.
const NEEDS_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < b' ' as usize {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[0x7f] = true;
    table
};

/// Appends text with the escapes of JSON. Text lines use them too, so that a value cannot start a new line.
fn escape(out: &mut String, text: &str) {
    let mut plain = 0;
    for (index, byte) in text.bytes().enumerate() {
        if !NEEDS_ESCAPE[usize::from(byte)] {
            continue;
        }
        out.push_str(&text[plain..index]);
        plain = index + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => {
                let _ = write!(out, "\\u{other:04x}");
            }
        }
    }
    out.push_str(&text[plain..]);
}

/// Formats an error and its sources.
fn with_causes(value: &mut String, error: &(dyn Error + 'static)) {
    let _ = write!(value, "{error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(value, ": {error}");
        cause = error.source();
    }
}

struct JsonFields<'a> {
    line: &'a mut String,
    value: &'a mut String,
}

impl JsonFields<'_> {
    fn name(&mut self, field: &Field) {
        self.line.push_str(",\"");
        self.line.push_str(field.name());
        self.line.push_str("\":");
    }

    fn bare(&mut self, field: &Field, value: impl fmt::Display) {
        self.name(field);
        let _ = write!(self.line, "{value}");
    }

    fn value(&mut self, field: &Field) {
        self.name(field);
        self.line.push('"');
        escape(self.line, &redact::scrub(self.value));
        self.line.push('"');
    }
}

impl Visit for JsonFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == operator_events::FIELDS
            && let Some(members) = operator_events::members(value)
        {
            for (name, value) in members {
                self.line.push_str(",\"");
                escape(self.line, &name);
                let _ = write!(self.line, "\":{value}");
            }
            return;
        }
        self.name(field);
        self.line.push('"');
        escape(self.line, &redact::scrub(value));
        self.line.push('"');
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() { self.bare(field, value) } else { self.bare(field, "null") }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.value.clear();
        with_causes(self.value, value);
        self.value(field);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.value.clear();
        let _ = write!(self.value, "{value:?}");
        self.value(field);
    }
}

struct TextFields<'a> {
    line: &'a mut String,
    fields: &'a mut String,
    value: &'a mut String,
}

impl TextFields<'_> {
    fn put(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.line.push(' ');
            escape(self.line, &redact::scrub(value));
            return;
        }
        self.put_named(field.name(), value);
    }

    fn put_named(&mut self, name: &str, value: &str) {
        let value = redact::scrub(value);
        self.fields.push(' ');
        escape(self.fields, name);
        self.fields.push('=');
        let quote = value.is_empty() || value.contains([' ', '=']);
        if quote {
            self.fields.push('"');
        }
        escape(self.fields, &value);
        if quote {
            self.fields.push('"');
        }
    }
}

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == operator_events::FIELDS
            && let Some(members) = operator_events::members(value)
        {
            for (name, value) in members {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.put_named(&name, &text);
            }
            return;
        }
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.value.clear();
        with_causes(self.value, value);
        let text = std::mem::take(self.value);
        self.put(field, &text);
        *self.value = text;
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.value.clear();
        let _ = write!(self.value, "{value:?}");
        let text = std::mem::take(self.value);
        self.put(field, &text);
        *self.value = text;
    }
}
