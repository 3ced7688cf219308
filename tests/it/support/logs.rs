//! Everything the process says: log lines, events, spans and their fields, at the most talkative level anyone would run at.
//! The process has one subscriber, so tests look for what is theirs: ids, labels, secrets.

use std::{
    fmt::Write as _,
    sync::{
        LazyLock, Once,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, filter::Targets, layer::Context, layer::SubscriberExt as _, registry::LookupSpan};

static LINES: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);
static LISTENERS: AtomicUsize = AtomicUsize::new(0);
static INSTALL: Once = Once::new();

/// What has been said since it began to listen.
pub struct Logs {
    from: usize,
}

impl Logs {
    /// Begins to listen. Start it before the server, so that nothing is missed.
    pub fn listen() -> Self {
        INSTALL.call_once(|| {
            let levels = Targets::new()
                .with_default(tracing::Level::DEBUG)
                .with_target("dify_openapi", tracing::Level::TRACE)
                .with_target("audit", tracing::Level::TRACE);
            let subscriber = tracing_subscriber::registry().with(Capture.with_filter(levels));
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        LISTENERS.fetch_add(1, Ordering::SeqCst);
        Self { from: LINES.lock().len() }
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        LINES.lock()[self.from..].to_vec()
    }

    /// The lines that contain all of `parts`.
    pub fn about(&self, parts: &[&str]) -> Vec<String> {
        self.lines().into_iter().filter(|line| parts.iter().all(|part| line.contains(part))).collect()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        // Lines stay: another listener may still read them.
        LISTENERS.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Capture;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

fn keep(line: Line) {
    if LISTENERS.load(Ordering::SeqCst) > 0 {
        LINES.lock().push(line.0);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        let mut line = Line(format!("span {} {}", attributes.metadata().target(), attributes.metadata().name()));
        attributes.record(&mut line);
        keep(line);
    }

    fn on_record(&self, _: &span::Id, values: &span::Record<'_>, _: Context<'_, S>) {
        let mut line = Line("span fields".to_owned());
        values.record(&mut line);
        keep(line);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        keep(line);
    }
}
