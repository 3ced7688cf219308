//! Calls to other servers over HTTP: a client span for each, the trace context in its headers, and metrics.

use std::sync::Arc;

use http::Method;
use reqwest::{RequestBuilder, Response};
use tokio::time::Instant;
use tracing::{Instrument as _, Span, field::Empty};
use url::Url;

use super::{
    metrics::upstreams::{Upstream, UpstreamMetrics, UpstreamOutcome},
    trace::{self, TARGET},
};

/// Sends a request with the trace context in its headers, and waits for the headers of the response. A client
/// span and the metrics record the status, or why there is none.
pub(crate) async fn execute(
    upstream: Upstream,
    metrics: &Arc<UpstreamMetrics>,
    request: RequestBuilder,
) -> reqwest::Result<Response> {
    let (client, request) = request.build_split();
    let mut request = request?;
    let call = ClientCall::begin(upstream, Arc::clone(metrics), request.method(), request.url());
    trace::inject(&call.span, request.headers_mut());
    let result = client.execute(request).instrument(call.span.clone()).await;
    call.end(&result);
    result
}

/// A call that has not ended. A call that is dropped, as by a timeout, is recorded as cancelled.
struct ClientCall {
    /// Disabled when traces are not exported.
    span: Span,
    upstream: Upstream,
    metrics: Arc<UpstreamMetrics>,
    began: Instant,
    outcome: UpstreamOutcome,
}

impl ClientCall {
    /// Of the URL only host and port are recorded: paths and queries may contain keys and codes.
    fn begin(upstream: Upstream, metrics: Arc<UpstreamMetrics>, method: &Method, url: &Url) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            "call",
            otel.name = method.as_str(),
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = method.as_str(),
            http.response.status_code = Empty,
            server.address = url.host_str(),
            server.port = url.port_or_known_default().map(i64::from),
            service.peer.name = upstream.as_str(),
            "error.type" = Empty,
        );
        Self { span, upstream, metrics, began: Instant::now(), outcome: UpstreamOutcome::Cancelled }
    }

    fn end(mut self, result: &reqwest::Result<Response>) {
        self.outcome = match result {
            Ok(response) => {
                let status = response.status();
                // Unsigned numbers are exported as texts.
                self.span.record("http.response.status_code", i64::from(status.as_u16()));
                if status.is_client_error() || status.is_server_error() {
                    self.fail(status.as_str());
                }
                match status {
                    _ if status.is_client_error() => UpstreamOutcome::ClientError,
                    _ if status.is_server_error() => UpstreamOutcome::ServerError,
                    _ => UpstreamOutcome::Answered,
                }
            }
            Err(error) if error.is_timeout() => {
                self.fail("timeout");
                UpstreamOutcome::TimedOut
            }
            Err(_) => {
                self.fail("no_response");
                UpstreamOutcome::NoResponse
            }
        };
    }

    fn fail(&self, error_type: &str) {
        self.span.record("otel.status_code", "ERROR");
        self.span.record("error.type", error_type);
    }
}

impl Drop for ClientCall {
    fn drop(&mut self) {
        if self.outcome == UpstreamOutcome::Cancelled {
            self.fail("cancelled");
        }
        self.metrics.ended(self.upstream, self.outcome, self.began.elapsed());
    }
}
