//! The span and the observer of a call to a store.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    domain::{Code, Error, Result},
    ports::store_observer::{StoreCall, StoreObserver},
};

/// The target of spans that are exported as parts of requests. Without an export they are disabled.
const TARGET: &str = "request";

/// Runs a call in a client span of the current request, and reports its duration and whether the store failed. A call
/// outside a request, such as a probe, has no span: each would be a trace of its own.
pub(super) async fn observed<T>(
    call: StoreCall,
    observer: Option<&Arc<dyn StoreObserver>>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let span = if Span::current().is_disabled() { Span::none() } else { client_span(call) };
    let began = Instant::now();
    let result = work.instrument(span.clone()).await;
    let code = result.as_ref().err().map(Error::code);
    let failed = code.filter(|code| matches!(code, Code::ServiceUnavailable | Code::InternalServerError));
    if let Some(code) = failed {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", code.as_str());
    }
    if let Some(observer) = observer {
        observer.record(call, began.elapsed(), failed);
    }
    result
}

fn client_span(call: StoreCall) -> Span {
    tracing::info_span!(
        target: TARGET,
        "store",
        otel.name = call.operation,
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = call.system,
        db.operation.name = call.operation,
        "error.type" = Empty,
    )
}
