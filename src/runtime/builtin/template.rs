//! Renders Jinja templates with minijinja, limited in instructions, in memory and in output, and without loading files.
//!
//! Templates are not trusted. Most are one line long, so that moving them to another thread and back costs more than
//! rendering them. A small template with small values is therefore rendered inline, with fuel for a fraction of a
//! millisecond. Where that does not suffice, and for everything larger, rendering moves to the blocking threads, of which
//! templates hold only a few. Other computations of graphs share these threads: [`TemplateRenderer::run_blocking`].

pub(crate) mod error;
mod filters;
mod instrument;
mod methods;
mod value;
mod weight_guard;

use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde::Deserialize;
use tokio::sync::Semaphore;

use self::error::{MAX_OUTPUT, MAX_SOURCE, TemplateError};
use super::{bounded_buffer::BoundedBuffer, json::JsonObject, variables::value::weight};

/// Instructions of a rendering on a blocking thread: some tens of milliseconds.
const BLOCKING_FUEL: u64 = 200_000;
/// Instructions of an inline rendering: about a tenth of a millisecond.
const INLINE_FUEL: u64 = 1_000;
/// Total weight of the values that a rendering on a blocking thread names, writes and repeats, in bytes.
const BLOCKING_WEIGHT: usize = 256 << 20;
/// The same of an inline rendering, in bytes.
const INLINE_WEIGHT: usize = 1 << 20;
/// Longest template that is rendered inline, in bytes.
const MAX_INLINE_SOURCE: usize = 4 << 10;
/// Largest weight of the input values of an inline rendering, in bytes.
const MAX_INLINE_VALUES: usize = 16 << 10;
/// Deepest nesting of blocks and macro calls.
const MAX_DEPTH: usize = 100;

/// The source of a template.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct TemplateSource(Arc<str>);

impl From<String> for TemplateSource {
    fn from(source: String) -> Self {
        Self(source.into())
    }
}

/// A rendering that has been started.
pub(crate) enum Rendering {
    Ready(Result<String, TemplateError>),
    /// Rendered on a blocking thread.
    Pending(BoxFuture<'static, Result<String, TemplateError>>),
}

/// Renders the templates of a process, and limits the blocking threads that graphs occupy.
#[derive(Debug)]
pub(crate) struct TemplateRenderer {
    permits: Arc<Semaphore>,
}

impl TemplateRenderer {
    /// A renderer that occupies at most `max_threads` blocking threads.
    pub(crate) fn new(max_threads: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(max_threads)) }
    }

    pub(crate) fn render(&self, source: &TemplateSource, values: &JsonObject) -> Rendering {
        if source.0.len() > MAX_SOURCE {
            return Rendering::Ready(Err(TemplateError::SourceTooLong));
        }
        let weight: usize = values.values().map(weight).sum();
        // `*` is excluded: it is the only operator with which one instruction makes a large value of small ones.
        if source.0.len() <= MAX_INLINE_SOURCE && weight <= MAX_INLINE_VALUES && !source.0.contains('*') {
            // A failure may be due to the inline limits, so that the template is rendered again on a blocking thread.
            if let Ok(rendered) = render(&INLINE, INLINE_WEIGHT, &source.0, values) {
                return Rendering::Ready(Ok(rendered));
            }
        }
        let (source, values) = (source.clone(), values.clone());
        let rendering = self.run_blocking(move || render(&BLOCKING, BLOCKING_WEIGHT, &source.0, &values));
        Rendering::Pending(Box::pin(async { rendering.await.unwrap_or(Err(TemplateError::Lost)) }))
    }

    /// Runs bounded work on a blocking thread as soon as a permit is free. Returns `None` when the work panics.
    pub(crate) fn run_blocking<T, W>(&self, work: W) -> impl Future<Output = Option<T>> + Send + use<T, W>
    where
        W: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let permits = self.permits.clone();
        async move {
            let permit = permits.acquire_owned().await.ok()?;
            // Blocking work cannot be cancelled, so that it keeps its permit to its end even when this future is dropped.
            let task = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                work()
            });
            task.await.ok()
        }
    }
}

static INLINE: LazyLock<Environment<'static>> = LazyLock::new(|| environment(INLINE_FUEL));
static BLOCKING: LazyLock<Environment<'static>> = LazyLock::new(|| environment(BLOCKING_FUEL));

fn environment(fuel: u64) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(fuel));
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(value::write);
    environment.set_unknown_method_callback(methods::call);
    filters::limit(&mut environment);
    environment.add_filter(instrument::WEIGH_FILTER, weight_guard::weigh_filter);
    environment
}

fn render(
    environment: &Environment<'_>,
    max_weight: usize,
    source: &str,
    values: &JsonObject,
) -> Result<String, TemplateError> {
    let source = instrument::instrument(source)?;
    let template = environment.template_from_str(&source).map_err(|error| TemplateError::from_engine(&error))?;
    weight_guard::start(source.len(), max_weight);
    let mut out = BoundedBuffer::new(MAX_OUTPUT);
    match template.render_captured_to(value::from_members(values), &mut out) {
        Ok(_) => String::from_utf8(out.into_bytes()).map_err(|_| TemplateError::Lost),
        Err(error) if error.kind() == ErrorKind::OutOfFuel => Err(TemplateError::OutOfFuel),
        Err(error) if error.kind() == ErrorKind::WriteFailure => Err(TemplateError::OutputTooLong),
        Err(error) => Err(TemplateError::from_engine(&error)),
    }
}

#[cfg(test)]
mod tests;
