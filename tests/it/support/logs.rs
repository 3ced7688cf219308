//! Everything the process says: the lines it writes, and the fields of every event and span beneath them, at the most
//! talkative level anyone would run at. The process has one subscriber, so tests look for what is theirs: ids, labels,
//! secrets.

use std::{
    fmt::Write as _,
    io,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use dify_openapi::testing::{
    config::telemetry::LogFormat,
    telemetry::{line::LineLayer, sink::Sink},
};
use parking_lot::Mutex;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, filter::Targets, layer::Context, layer::SubscriberExt as _};

static SAID: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);
static WRITTEN: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(Mutex::default);
static SINK: OnceLock<Sink> = OnceLock::new();
static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// Makes this the process's subscriber, so that no server installs its own.
pub fn install() {
    SINK.get_or_init(|| {
        let levels = Targets::new()
            .with_default(tracing::Level::DEBUG)
            .with_target("dify_openapi", tracing::Level::TRACE)
            .with_target("audit", tracing::Level::TRACE);
        let sink = Sink::new(Box::new(Written)).unwrap();
        let subscriber =
            tracing_subscriber::registry().with(Said).with(LineLayer::new(LogFormat::Json, sink.clone())).with(levels);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        sink
    });
}

/// What has been said since it began to listen.
pub struct Logs {
    from: usize,
    from_byte: usize,
}

impl Logs {
    /// Begins to listen.
    pub fn listen() -> Self {
        install();
        LISTENERS.fetch_add(1, Ordering::SeqCst);
        Self { from: SAID.lock().len(), from_byte: WRITTEN.lock().len() }
    }

    /// Events, spans and their fields so far.
    pub fn said(&self) -> Vec<String> {
        SAID.lock()[self.from..].to_vec()
    }

    /// The lines of the log so far, as an operator reads them.
    pub fn written(&self) -> String {
        SINK.get().unwrap().flush();
        String::from_utf8_lossy(&WRITTEN.lock()[self.from_byte..]).into_owned()
    }

    /// What has been said that contains all of `parts`.
    pub fn about(&self, parts: &[&str]) -> Vec<String> {
        self.said().into_iter().filter(|line| parts.iter().all(|part| line.contains(part))).collect()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        // What was said stays: another listener may still read it.
        LISTENERS.fetch_sub(1, Ordering::SeqCst);
    }
}

fn anyone_listens() -> bool {
    LISTENERS.load(Ordering::SeqCst) > 0
}

struct Written;

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if anyone_listens() {
            WRITTEN.lock().extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Said;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

fn keep(line: Line) {
    SAID.lock().push(line.0);
}

impl<S: Subscriber> Layer<S> for Said {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        if anyone_listens() {
            let mut line = Line(format!("span {} {}", attributes.metadata().target(), attributes.metadata().name()));
            attributes.record(&mut line);
            keep(line);
        }
    }

    fn on_record(&self, _: &span::Id, values: &span::Record<'_>, _: Context<'_, S>) {
        if anyone_listens() {
            let mut line = Line("span fields".to_owned());
            values.record(&mut line);
            keep(line);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if anyone_listens() {
            let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
            event.record(&mut line);
            keep(line);
        }
    }
}
