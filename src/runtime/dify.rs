//! Runs apps by forwarding them to the service API of the Dify whose database this service uses.
//!
//! A run is one task from the request to the last event. It ends with Dify's last event. When the reader disconnects,
//! the run is stopped at Dify as soon as its task id is known. A run is sent once. Only after Dify rejects the app key,
//! when nothing has run, is it sent again with a new key.

pub(crate) mod sse;

mod app_keys;
mod error_response;
mod relay;
mod request;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Client, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;
use url::Url;

use self::{
    app_keys::AppKeys,
    error_response::{ErrorResponse, RequestedIds, upstream_error},
    relay::{Relay, RelayEnd, RunSender},
    request::ApiUrls,
};
use crate::{
    domain::{Code, Error, Result, app::AppMode, secret::Secret},
    http_client::client_builder,
    memory::{FairShares, MemoryKind, MemoryLedger, MemoryPermit, Owner, SharePermit},
    ports::{
        clock::Clock,
        entropy::Entropy,
        runtime::{self, AppRuntime, EVENTS_AHEAD, RunRequest, RunStream},
    },
    store::sql::SqlStore,
    telemetry::trace,
};

/// Timeout of a request that stops a run.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// The same while the process shuts down: once to learn the task id, and once for the request.
const SHUTDOWN_STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an idle connection is kept. Dify's server closes it after two seconds, and a run that is sent on a
/// connection that closes is lost.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Memory that a forwarded run takes: its tasks, its two connections, and a short event. Long ones are reserved as they
/// are read.
const RUN_BYTES: usize = 256 << 10;
/// `Retry-After` when every connection is in use.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The address of Dify's service API, and the limits of its runs.
#[derive(Clone, Debug)]
pub struct DifySettings {
    /// `DIFY_API_URL`, with or without `/v1`.
    pub url: Url,
    pub connect_timeout: Duration,
    /// From sending a run to the first byte of its stream.
    pub first_byte_timeout: Duration,
    pub run_timeout: Duration,
    /// Ends every run; cancelled when the process shuts down.
    pub end: CancellationToken,
    /// Largest number of connections; each is one run. A run above it is `rate_limited` at once, because waiting for
    /// another run to end could take minutes.
    pub max_connections: usize,
    /// Has the memory of runs and of their events.
    pub memory: MemoryLedger,
}

pub struct DifyRuntime {
    api: Arc<DifyClient>,
    tasks: TaskTracker,
}

/// A connection to Dify, and the memory of its run.
struct UpstreamPermit {
    _place: SharePermit,
    _memory: MemoryPermit,
}

struct DifyClient {
    urls: ApiUrls,
    client: Client,
    keys: AppKeys,
    first_byte_timeout: Duration,
    run_timeout: Duration,
    end: CancellationToken,
    connections: FairShares,
    memory: MemoryLedger,
}

impl DifyRuntime {
    /// A runtime whose runs are tasks of `tasks`: the process waits for them, and for the requests that stop them.
    pub fn new(
        settings: DifySettings,
        sql: Arc<SqlStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        tasks: TaskTracker,
    ) -> Result<Self> {
        let client = client_builder()?
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .retry(reqwest::retry::never())
            .http1_only()
            .build()
            .map_err(Error::internal)?;
        let api = DifyClient {
            urls: ApiUrls::new(settings.url),
            client,
            keys: AppKeys::new(sql, clock, entropy),
            first_byte_timeout: settings.first_byte_timeout,
            run_timeout: settings.run_timeout,
            end: settings.end,
            connections: FairShares::new(settings.max_connections),
            memory: settings.memory,
        };
        Ok(Self { api: Arc::new(api), tasks })
    }
}

#[async_trait]
impl AppRuntime for DifyRuntime {
    /// Returns at the first byte of the stream, so that an earlier failure becomes an error response.
    async fn start(&self, run: RunRequest) -> Result<RunStream> {
        let (workspace, app) = (Owner::of(&run.app.workspace_id.0), Owner::of(&run.app.id.0));
        let busy = |_| Error::rate_limited(BUSY_RETRY_AFTER);
        let place = self.api.connections.take(workspace, app).map_err(busy)?;
        let memory = self.api.memory.reserve_for(workspace, MemoryKind::Runs, RUN_BYTES)?;
        let connection = UpstreamPermit { _place: place, _memory: memory };
        let event_memory = self.api.memory.permit(MemoryKind::Runs, Some(workspace));
        let (events, stream) = runtime::events(EVENTS_AHEAD, &self.api.memory);
        let (start_sender, started) = oneshot::channel();
        let api = Arc::clone(&self.api);
        let sender = RunSender::new(start_sender, events);
        // A task, because a run that was sent has to be stopped even when the caller disconnects meanwhile.
        self.tasks.spawn(async move { api.run(run, sender, connection, event_memory).await }.in_current_span());
        started.await.map_err(Error::internal)??;
        Ok(stream)
    }
}

impl DifyClient {
    async fn run(
        &self,
        run: RunRequest,
        mut sender: RunSender,
        connection: UpstreamPermit,
        event_memory: MemoryPermit,
    ) {
        let deadline = Instant::now() + self.run_timeout;
        let first_byte_deadline = deadline.min(Instant::now() + self.first_byte_timeout);
        let (key, response) = match self.send(&run, first_byte_deadline).await {
            Ok(sent) => sent,
            Err(error) => return sender.fail(error).await,
        };
        let mut relay = Relay::new(response, run.app.mode, RequestedIds::from(&run), event_memory);
        // The deadline applies while the relay waits for a slow reader, too.
        let end = tokio::select! {
            biased;
            end = relay.run(&mut sender, first_byte_deadline) => end,
            () = self.end.cancelled() => {
                let message = "The server shut down during the run. Run it again.";
                sender.try_fail(Error::new(Code::ServiceUnavailable, message));
                RelayEnd::Unfinished
            }
            () = sleep_until(deadline) => {
                sender.try_fail(Error::new(Code::UpstreamTimeout, "The run took longer than is allowed."));
                RelayEnd::Unfinished
            }
        };
        // Closes the stream at the last event.
        drop(sender);
        match end {
            RelayEnd::Finished => relay.read_to_end().await,
            RelayEnd::Unfinished => {
                let task_deadline = if self.end.is_cancelled() {
                    Instant::now() + SHUTDOWN_STOP_TIMEOUT
                } else {
                    first_byte_deadline.max(Instant::now() + STOP_TIMEOUT)
                };
                relay.read_task_id(task_deadline).await;
                let task = relay.task_id.take();
                drop((relay, connection));
                if let Some(task) = task {
                    self.stop(&run, &key, &task).await;
                }
            }
        }
    }

    /// Sends a run. Sends it again when Dify rejects the key and the app has another one by now.
    async fn send(&self, run: &RunRequest, deadline: Instant) -> Result<(Secret, Response)> {
        let (url, body) = (self.urls.run(run), bytes::Bytes::from(request::body(run)?));
        let mut key = self.keys.get(&run.app).await?;
        let mut response = self.post(url.clone(), &key, body.clone(), deadline).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.keys.forget(run.app.id, &key);
            let another = self.keys.get(&run.app).await?;
            if !another.matches(key.expose()) {
                key = another;
                response = self.post(url, &key, body, deadline).await?;
            }
        }
        let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|content_type| {
            let media_type = content_type.as_bytes().get(..17);
            media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case(b"text/event-stream"))
        });
        match response.status() {
            StatusCode::OK if is_stream => Ok((key, response)),
            status => {
                let status = status.as_u16();
                let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let retry_after = retry_after.map(str::to_owned);
                let body = error_response::read_body(&mut response).await;
                Err(ErrorResponse::parse(&body).into_error(status, retry_after.as_deref(), RequestedIds::from(run)))
            }
        }
    }

    async fn post(&self, url: Url, key: &Secret, body: bytes::Bytes, deadline: Instant) -> Result<Response> {
        let request = self
            .client
            .post(url)
            .header(AUTHORIZATION, authorization(key)?)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .headers(trace_headers())
            .body(body);
        match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(cause)) if cause.is_timeout() => Err(timed_out().with_source(cause.without_url())),
            Ok(Err(cause)) => Err(upstream_error("Dify is not answering.").with_source(cause.without_url())),
            Err(_) => Err(timed_out()),
        }
    }

    /// Stops a run. One request suffices: Dify stores a flag that the task checks.
    async fn stop(&self, run: &RunRequest, key: &Secret, task: &str) {
        let mode: AppMode = run.app.mode;
        let stopped = async {
            let body = serde_json::to_vec(&serde_json::json!({"user": run.user})).map_err(Error::internal)?;
            let timeout = if self.end.is_cancelled() { SHUTDOWN_STOP_TIMEOUT } else { STOP_TIMEOUT };
            let url = self.urls.stop(mode, task);
            let status = self.post(url, key, body.into(), Instant::now() + timeout).await?.status();
            if status.is_success() { Ok(()) } else { Err(Error::internal(format!("Dify answered {status}"))) }
        };
        if let Err(error) = stopped.await {
            tracing::warn!(error = ?error, app_id = %run.app.id, "a run without a reader may continue at Dify");
        }
    }
}

fn timed_out() -> Error {
    Error::new(Code::UpstreamTimeout, "Dify took too long to answer.")
}

fn authorization(key: &Secret) -> Result<HeaderValue> {
    let text = zeroize::Zeroizing::new(format!("Bearer {}", key.expose()));
    // The error does not quote the value.
    let mut value = HeaderValue::from_str(&text).map_err(Error::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The trace context of the request that the run belongs to; empty without tracing.
fn trace_headers() -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    trace::inject(&tracing::Span::current(), &mut headers);
    headers
}
