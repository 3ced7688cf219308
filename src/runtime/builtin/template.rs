//! Renders the templates of runs on a few blocking threads, which apps share fairly.
//!
//! Templates are not trusted. Most are one line long, so that moving them to another thread and back costs more than
//! rendering them. A small template with small values is therefore rendered inline, with a budget for a fraction of a
//! millisecond. Where that does not suffice, and for everything larger, rendering moves to the blocking threads. Other
//! computations of graphs share these threads: [`AppRenderer::run_blocking`].

pub(crate) mod slots;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use tokio::time::timeout;

use self::slots::{RenderSlots, SlotOwner};
use super::{
    jinja::{self, RenderSettings, budget::CancelFlag, error::TemplateError, limits::RenderLimits},
    json::JsonObject,
    variables::value::weight,
};
use crate::{
    memory::{MemoryKind, MemoryLedger},
    ports::entropy::Entropy,
};

/// The largest limits of a rendering on a blocking thread: less than a second of work.
const BLOCKING: RenderLimits = RenderLimits { steps: 3_000_000, bytes: 64 << 20 };
/// The limits of an inline rendering: a fraction of a millisecond.
const INLINE: RenderLimits = RenderLimits { steps: 8_000, bytes: 256 << 10 };
/// Longest time of a rendering on a blocking thread; it ends a rendering on a machine that is too busy.
const MAX_TIME: Duration = Duration::from_secs(5);
/// Longest template that is rendered inline, in bytes.
const MAX_INLINE_SOURCE: usize = 4 << 10;
/// Largest weight of the input values of an inline rendering, in bytes.
const MAX_INLINE_VALUES: usize = 16 << 10;

/// The source of a template.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct TemplateSource(Arc<str>);

impl From<String> for TemplateSource {
    fn from(source: String) -> Self {
        Self(source.into())
    }
}

impl TemplateSource {
    /// Checks that the template can be rendered here. The error has the line and a cure.
    pub(crate) fn check(&self) -> Result<(), TemplateError> {
        jinja::check(&self.0)
    }
}

/// A rendering that has been started.
pub(crate) enum Rendering {
    Ready(Result<String, TemplateError>),
    /// Rendered on a blocking thread; dropping the future cancels it.
    Pending(BoxFuture<'static, Result<String, TemplateError>>),
}

/// Renders the templates of a process, and limits the blocking threads that graphs occupy.
pub(crate) struct TemplateRenderer {
    slots: RenderSlots,
    entropy: Arc<dyn Entropy>,
    memory: MemoryLedger,
    /// The limits of a rendering on a blocking thread. Its bytes are reserved before it begins.
    limits: RenderLimits,
}

impl TemplateRenderer {
    /// A renderer that occupies at most `max_threads` blocking threads, which divide the memory for templates among
    /// them.
    pub(crate) fn new(max_threads: usize, entropy: Arc<dyn Entropy>, memory: MemoryLedger) -> Self {
        let max_threads = max_threads.max(1);
        let bytes = BLOCKING.bytes.min(memory.limit(MemoryKind::Templates) / max_threads);
        Self { slots: RenderSlots::new(max_threads), entropy, memory, limits: RenderLimits { bytes, ..BLOCKING } }
    }

    /// The renderer for the runs of one app.
    pub(crate) fn for_app(self: &Arc<Self>, owner: SlotOwner) -> AppRenderer {
        AppRenderer { renderer: Arc::clone(self), owner }
    }

    /// Whether so many renderings of the owner's workspace wait that further ones fail.
    pub(crate) fn is_full(&self, owner: SlotOwner) -> bool {
        self.slots.is_full(owner)
    }
}

/// Renders the templates of one app.
#[derive(Clone)]
pub(crate) struct AppRenderer {
    renderer: Arc<TemplateRenderer>,
    owner: SlotOwner,
}

impl AppRenderer {
    pub(crate) fn render(&self, source: &TemplateSource, values: &JsonObject) -> Rendering {
        let Ok(seed) = self.renderer.entropy.uuid_v4() else { return Rendering::Ready(Err(TemplateError::Lost)) };
        let (_, seed) = seed.as_u64_pair();
        let weight: usize = values.values().map(weight).sum();
        if source.0.len() <= MAX_INLINE_SOURCE && weight <= MAX_INLINE_VALUES {
            let settings = RenderSettings { limits: INLINE, cancelled: CancelFlag::default(), seed };
            match jinja::render(&source.0, values, settings) {
                // A template that exceeds the inline limits is rendered again on a blocking thread.
                Err(TemplateError::TooManySteps | TemplateError::TooMuchMemory) => {}
                result => return Rendering::Ready(result),
            }
        }
        let (source, values, cancelled) = (source.clone(), values.clone(), CancelFlag::default());
        let settings = RenderSettings { limits: self.renderer.limits, cancelled: cancelled.clone(), seed };
        let work = self.run_blocking(move || jinja::render(&source.0, &values, settings));
        Rendering::Pending(Box::pin(async move {
            // Set when this future is dropped, or ends before its work.
            let _guard = CancelOnDrop(cancelled);
            work.await.and_then(|result| result)
        }))
    }

    /// Runs bounded work on a blocking thread as soon as one is free.
    pub(crate) fn run_blocking<T, W>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, TemplateError>> + Send + use<T, W>
    where
        W: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let renderer = Arc::clone(&self.renderer);
        let slot = renderer.slots.acquire(self.owner);
        async move {
            let slot = slot?.await.ok_or(TemplateError::Lost)?;
            let memory = renderer.memory.reserve(MemoryKind::Templates, renderer.limits.bytes);
            let memory = memory.map_err(|_| TemplateError::Busy)?;
            // The work keeps both to its end even when this future is dropped.
            let task = tokio::task::spawn_blocking(move || {
                let _held = (slot, memory);
                work()
            });
            match timeout(MAX_TIME, task).await {
                Ok(result) => result.map_err(|_| TemplateError::Lost),
                Err(_) => Err(TemplateError::TooManySteps),
            }
        }
    }
}

/// Renders a template without values, within the limits of a blocking thread.
pub fn render_template(source: &str) -> Result<String, String> {
    let settings = RenderSettings { limits: BLOCKING, cancelled: CancelFlag::default(), seed: 0 };
    jinja::render(source, &JsonObject::new(), settings).map_err(|error| error.to_string())
}

struct CancelOnDrop(CancelFlag);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests;
