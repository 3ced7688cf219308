//! Captures the log lines and the fields of all events and spans at the level TRACE. All tests share the subscriber of
//! the process, so a test searches for its own ids, labels and secrets.

use std::{
    fmt::Write as _,
    io,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use dify_openapi::testing::{
    config::LogFormat,
    telemetry::{LineLayer, Sink},
};
use parking_lot::Mutex;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, filter::Targets, layer::Context, layer::SubscriberExt as _};

static EVENTS: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);
static LINES: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(Mutex::default);
static SINK: OnceLock<Sink> = OnceLock::new();
static CAPTURES: AtomicUsize = AtomicUsize::new(0);

/// Installs the subscriber, so that no server installs its own.
pub fn install() {
    SINK.get_or_init(|| {
        let levels = Targets::new()
            .with_default(tracing::Level::DEBUG)
            .with_target("dify_openapi", tracing::Level::TRACE)
            .with_target("audit", tracing::Level::TRACE);
        let sink = Sink::new(Box::new(LineCapture)).unwrap();
        let subscriber = tracing_subscriber::registry()
            .with(EventCapture)
            .with(LineLayer::new(LogFormat::Json, sink.clone()))
            .with(levels);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        sink
    });
}

/// The output since the start of a capture.
pub struct Logs {
    first_event: usize,
    first_byte: usize,
}

impl Logs {
    /// Starts a capture.
    pub fn capture() -> Self {
        install();
        CAPTURES.fetch_add(1, Ordering::SeqCst);
        Self { first_event: EVENTS.lock().len(), first_byte: LINES.lock().len() }
    }

    /// The events and spans with their fields.
    pub fn events(&self) -> Vec<String> {
        EVENTS.lock()[self.first_event..].to_vec()
    }

    /// The log lines.
    pub fn lines(&self) -> String {
        SINK.get().unwrap().flush();
        String::from_utf8_lossy(&LINES.lock()[self.first_byte..]).into_owned()
    }

    /// The events and spans that contain all of `parts`.
    pub fn matching(&self, parts: &[&str]) -> Vec<String> {
        self.events().into_iter().filter(|line| parts.iter().all(|part| line.contains(part))).collect()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        // The output stays, because another capture may still need it.
        CAPTURES.fetch_sub(1, Ordering::SeqCst);
    }
}

fn is_capturing() -> bool {
    CAPTURES.load(Ordering::SeqCst) > 0
}

struct LineCapture;

impl io::Write for LineCapture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if is_capturing() {
            LINES.lock().extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct EventCapture;

struct FieldText(String);

impl Visit for FieldText {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

fn record(line: FieldText) {
    EVENTS.lock().push(line.0);
}

impl<S: Subscriber> Layer<S> for EventCapture {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        if is_capturing() {
            let mut line =
                FieldText(format!("span {} {}", attributes.metadata().target(), attributes.metadata().name()));
            attributes.record(&mut line);
            record(line);
        }
    }

    fn on_record(&self, _: &span::Id, values: &span::Record<'_>, _: Context<'_, S>) {
        if is_capturing() {
            let mut line = FieldText("span fields".to_owned());
            values.record(&mut line);
            record(line);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if is_capturing() {
            let mut line = FieldText(format!("{} {}", event.metadata().level(), event.metadata().target()));
            event.record(&mut line);
            record(line);
        }
    }
}
