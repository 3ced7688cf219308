//! Jinja templates, through minijinja: with fuel, a bound on what they put out, and nothing to load.
//!
//! TemplateRenderer are hostile. Most are a line long, though, and a hop to another thread and back costs more than rendering one. So a
//! small template with small values runs right where it is, on fuel that lasts for a fraction of a millisecond; when that runs
//! out, and with everything larger, rendering moves to the blocking threads, of which templates hold a few at most. What else
//! graphs reckon keeps to the same rule and to the same few threads: [`TemplateRenderer::elsewhere`].

mod filters;
mod guard;
mod methods;
mod value;

use std::{fmt, io, sync::Arc, sync::LazyLock};

use futures_util::future::BoxFuture;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::variables::value::weight;
use crate::runtime::builtin::json::JsonObject;

/// Longest template, in bytes.
const SOURCE_MAX: usize = 256 << 10;
/// Longest result, in bytes: Dify's bound, 400,000 characters, for text of one byte each.
const OUTPUT_MAX: usize = 400_000;
/// Instructions that a rendering on the blocking threads may take: some tens of milliseconds.
const FUEL: u64 = 200_000;
/// Instructions that a rendering where it is may take: about a tenth of a millisecond.
const FUEL_HERE: u64 = 1_000;
/// What everything that a rendering names, says and repeats may weigh, in bytes; on the blocking threads, and where it is.
const WEIGHT: usize = 256 << 20;
const WEIGHT_HERE: usize = 1 << 20;
/// Longest template that runs where it is, in bytes.
const SOURCE_HERE: usize = 4 << 10;
/// Heaviest values that a template runs with where it is, in bytes.
const VALUES_HERE: usize = 16 << 10;
/// Nesting of blocks and macro calls.
const DEPTH_MAX: usize = 100;

/// The source of a template.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct TemplateSource(Arc<str>);

impl From<String> for TemplateSource {
    fn from(source: String) -> Self {
        Self(source.into())
    }
}

/// Why a template gave nothing.
#[derive(Debug)]
pub(crate) enum TemplateError {
    /// It is longer than templates may be.
    Source,
    /// What it puts out is longer than that may be.
    Output,
    /// It ran for too long.
    Fuel,
    /// It is not a valid template, or it failed: what minijinja says, with the line.
    Template(String),
    /// The thread it ran on is gone.
    Lost,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => write!(f, "the template is longer than {SOURCE_MAX} bytes"),
            Self::Output => write!(f, "Output length exceeds {OUTPUT_MAX} characters"),
            Self::Fuel => f.write_str("the template takes too long to run"),
            Self::Template(fault) => f.write_str(fault),
            Self::Lost => f.write_str("the template was not rendered"),
        }
    }
}

/// A rendering that has begun.
pub(crate) enum Rendering {
    /// It is over already.
    Ready(Result<String, TemplateError>),
    /// It goes on elsewhere.
    Pending(BoxFuture<'static, Result<String, TemplateError>>),
}

/// Renders the templates of a process, and has the places for whatever its graphs reckon on the blocking threads.
#[derive(Debug)]
pub(crate) struct TemplateRenderer {
    places: Arc<Semaphore>,
}

impl TemplateRenderer {
    /// At most `places` blocking threads are held at the same time.
    pub(crate) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)) }
    }

    /// Renders a template.
    pub(crate) fn render(&self, source: &TemplateSource, values: &JsonObject) -> Rendering {
        if source.0.len() > SOURCE_MAX {
            return Rendering::Ready(Err(TemplateError::Source));
        }
        let weight: usize = values.values().map(weight).sum();
        // A star repeats: the one operator that makes much of little at once.
        if source.0.len() <= SOURCE_HERE && weight <= VALUES_HERE && !source.0.contains('*') {
            // Whatever it failed of, there it may not.
            if let Ok(rendered) = render(&HERE, WEIGHT_HERE, &source.0, values) {
                return Rendering::Ready(Ok(rendered));
            }
        }
        let (source, values) = (source.clone(), values.clone());
        let rendering = self.elsewhere(move || render(&ELSEWHERE, WEIGHT, &source.0, &values));
        Rendering::Pending(Box::pin(async { rendering.await.unwrap_or(Err(TemplateError::Lost)) }))
    }

    /// Does bounded work on a blocking thread as soon as one of the places is free; `None` when its thread is gone.
    pub(crate) fn elsewhere<T, W>(&self, work: W) -> impl Future<Output = Option<T>> + Send + use<T, W>
    where
        W: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let places = self.places.clone();
        async move {
            let place = places.acquire_owned().await.ok()?;
            // It cannot be stopped from outside: it keeps its place until it is done, also when nobody waits.
            let working = tokio::task::spawn_blocking(move || {
                let _place = place;
                work()
            });
            working.await.ok()
        }
    }
}

static HERE: LazyLock<Environment<'static>> = LazyLock::new(|| environment(FUEL_HERE));
static ELSEWHERE: LazyLock<Environment<'static>> = LazyLock::new(|| environment(FUEL));

fn environment(fuel: u64) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(fuel));
    environment.set_recursion_limit(DEPTH_MAX);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(value::write);
    environment.set_unknown_method_callback(methods::call);
    filters::bind(&mut environment);
    environment.add_filter(guard::FILTER, guard::weigh);
    environment
}

fn render(
    environment: &Environment<'_>,
    weight: usize,
    source: &str,
    values: &JsonObject,
) -> Result<String, TemplateError> {
    let source = guard::prepare(source)?;
    let template = environment.template_from_str(&source).map_err(|fault| told(&fault))?;
    guard::begin(source.len(), weight);
    let mut out = Bounded(Vec::new());
    match template.render_captured_to(value::from_members(values), &mut out) {
        Ok(_) => String::from_utf8(out.0).map_err(|_| TemplateError::Lost),
        Err(fault) if fault.kind() == ErrorKind::OutOfFuel => Err(TemplateError::Fuel),
        Err(fault) if fault.kind() == ErrorKind::WriteFailure => Err(TemplateError::Output),
        Err(fault) => Err(told(&fault)),
    }
}

fn told(fault: &minijinja::Error) -> TemplateError {
    TemplateError::Template(match (fault.detail(), fault.line()) {
        (Some(detail), Some(line)) => format!("{}: {detail} (line {line})", fault.kind()),
        (Some(detail), None) => format!("{}: {detail}", fault.kind()),
        (None, Some(line)) => format!("{} (line {line})", fault.kind()),
        (None, None) => fault.kind().to_string(),
    })
}

struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if self.0.len() + chunk.len() > OUTPUT_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
