//! Runs apps by handing them to Dify's own service API, beside whose database this service stands.
//!
//! A run is a task of its own from the request to the last event. It ends when Dify says so; when the listener goes away it
//! is stopped at Dify as well, as soon as Dify has told its task id. A run is never sent twice: only a key that Dify does
//! not know is replaced and tried once more, since nothing has run then.

mod app_keys;
mod call;
pub(crate) mod frames;
mod refusal;
mod relay;

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
    call::Base,
    refusal::{Named, Refusal, failed},
    relay::{End, Listener, Relay},
};
use super::http_client::client_builder;
use crate::{
    domain::{Code, Error, Result, app::AppMode, secret::Secret},
    memory::{FairShares, MemoryKind, MemoryLedger, MemoryPermit, Owner, SharePermit},
    ports::{
        clock::Clock,
        entropy::Entropy,
        runtime::{self, AppRuntime, EVENTS_AHEAD, RunRequest, RunStream},
    },
    store::sql::SqlStore,
    telemetry::trace,
};

/// How long a stopped run may take to be stopped.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// The same, twice, when the process is about to end.
const LAST_STOP_LIMIT: Duration = Duration::from_secs(1);
/// How long an idle connection is kept: less than the two seconds after which Dify's own server closes it, since a run
/// that meets a connection being closed is lost.
const IDLE_LIMIT: Duration = Duration::from_millis(1_500);
/// What a forwarded run takes: its tasks, its two connections, the event that is being read.
const RUN_BYTES: usize = 256 << 10;
/// When to come back where every connection is taken.
const BUSY_FOR: Duration = Duration::from_secs(1);

/// Where Dify is, and how long it may take.
#[derive(Clone, Debug)]
pub struct DifySettings {
    /// `DIFY_API_URL`: the service API, with or without `/v1`.
    pub url: Url,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long the first byte of a run's stream may take, from the moment it is sent.
    pub first_byte_timeout: Duration,
    /// How long a run may take in all.
    pub run_timeout: Duration,
    /// Ends every run, when the process has no more time for them.
    pub end: CancellationToken,
    /// Connections at the same time at most, each of which is a run. Over it a run is `rate_limited` at once, like one
    /// over the process' own limit: waiting for another run to end could take minutes.
    pub max_connections: usize,
    /// Has the memory of runs and of their events.
    pub memory: MemoryLedger,
}

/// Runs apps at Dify.
pub struct DifyRuntime {
    upstream: Arc<Upstream>,
    tasks: TaskTracker,
}

/// A connection to Dify, and the memory of its run.
struct RunPermit {
    _place: SharePermit,
    _memory: MemoryPermit,
}

struct Upstream {
    base: Base,
    client: Client,
    keys: AppKeys,
    first_byte_timeout: Duration,
    run_timeout: Duration,
    end: CancellationToken,
    connections: FairShares,
    memory: MemoryLedger,
}

impl DifyRuntime {
    /// A runtime whose runs are tasks of `tasks`, so that the process waits for them, and for their stops, when it ends.
    pub fn new(
        settings: DifySettings,
        sql: Arc<SqlStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        tasks: TaskTracker,
    ) -> Result<Self> {
        let client = client_builder()?
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE_LIMIT)
            .retry(reqwest::retry::never())
            .http1_only()
            .build()
            .map_err(Error::internal)?;
        let upstream = Upstream {
            base: Base::new(settings.url),
            client,
            keys: AppKeys::new(sql, clock, entropy),
            first_byte_timeout: settings.first_byte_timeout,
            run_timeout: settings.run_timeout,
            end: settings.end,
            connections: FairShares::new(settings.max_connections),
            memory: settings.memory,
        };
        Ok(Self { upstream: Arc::new(upstream), tasks })
    }
}

#[async_trait]
impl AppRuntime for DifyRuntime {
    /// Comes back with the stream's first byte, so that what fails until then is an answer of its own.
    async fn start(&self, run: RunRequest) -> Result<RunStream> {
        let (workspace, app) = (Owner::of(&run.app.workspace_id.0), Owner::of(&run.app.id.0));
        let place = self.upstream.connections.take(workspace, app).map_err(|_| Error::rate_limited(BUSY_FOR))?;
        let memory = self.upstream.memory.reserve_for(workspace, MemoryKind::Runs, RUN_BYTES)?;
        let connection = RunPermit { _place: place, _memory: memory };
        let (events, stream) = runtime::events(EVENTS_AHEAD, &self.upstream.memory);
        let (began, begins) = oneshot::channel();
        let upstream = Arc::clone(&self.upstream);
        let listener = Listener::new(began, events);
        // A task, because a run that was sent must be seen through even when whoever asked goes away meanwhile.
        self.tasks.spawn(async move { upstream.run(run, listener, connection).await }.in_current_span());
        begins.await.map_err(Error::internal)??;
        Ok(stream)
    }
}

impl Upstream {
    async fn run(&self, run: RunRequest, mut listener: Listener, connection: RunPermit) {
        let run_by = Instant::now() + self.run_timeout;
        let first_byte_by = run_by.min(Instant::now() + self.first_byte_timeout);
        let (key, response) = match self.send(&run, first_byte_by).await {
            Ok(sent) => sent,
            Err(error) => return listener.fail(error).await,
        };
        let mut relay = Relay::new(response, run.app.mode, Named::from(&run));
        // Whatever a run waits for, a reader included, it ends in time.
        let end = tokio::select! {
            biased;
            end = relay.run(&mut listener, first_byte_by) => end,
            () = self.end.cancelled() => {
                listener.cut(Error::new(Code::ServiceUnavailable, "The server shut down during the run. Run it again."));
                End::Unfinished
            }
            () = sleep_until(run_by) => {
                listener.cut(Error::new(Code::UpstreamTimeout, "The run took longer than is allowed."));
                End::Unfinished
            }
        };
        // Closes the stream at the last event.
        drop(listener);
        match end {
            End::Over => relay.finish().await,
            End::Unfinished => {
                let by = if self.end.is_cancelled() {
                    Instant::now() + LAST_STOP_LIMIT
                } else {
                    first_byte_by.max(Instant::now() + STOP_LIMIT)
                };
                relay.learn_task(by).await;
                let task = relay.task_id.take();
                drop((relay, connection));
                if let Some(task) = task {
                    self.stop(&run, &key, &task).await;
                }
            }
        }
    }

    /// Sends a run, once more when the key was refused and the app has another one by now.
    async fn send(&self, run: &RunRequest, by: Instant) -> Result<(Secret, Response)> {
        let (url, body) = (self.base.run(run), bytes::Bytes::from(call::body(run)?));
        let mut key = self.keys.get(&run.app).await?;
        let mut response = self.post(url.clone(), &key, body.clone(), by).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.keys.forget(run.app.id, &key);
            let another = self.keys.get(&run.app).await?;
            if !another.matches(key.expose()) {
                key = another;
                response = self.post(url, &key, body, by).await?;
            }
        }
        let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes().get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
        });
        match response.status() {
            StatusCode::OK if is_stream => Ok((key, response)),
            status => {
                let status = status.as_u16();
                let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let retry_after = retry_after.map(str::to_owned);
                let body = relay::short_body(&mut response).await;
                Err(Refusal::read(&body).into_error(status, retry_after.as_deref(), Named::from(run)))
            }
        }
    }

    async fn post(&self, url: Url, key: &Secret, body: bytes::Bytes, by: Instant) -> Result<Response> {
        let request = self
            .client
            .post(url)
            .header(AUTHORIZATION, authorization(key)?)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .headers(traced())
            .body(body);
        match timeout_at(by, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(cause)) if cause.is_timeout() => Err(slow().with_source(cause.without_url())),
            Ok(Err(cause)) => Err(failed("Dify is not answering.").with_source(cause.without_url())),
            Err(_) => Err(slow()),
        }
    }

    /// Stops a run. It is asked for once: Dify remembers it for the task, whenever the task gets to look.
    async fn stop(&self, run: &RunRequest, key: &Secret, task: &str) {
        let mode: AppMode = run.app.mode;
        let asked = async {
            let body = serde_json::to_vec(&serde_json::json!({"user": run.user})).map_err(Error::internal)?;
            let by = Instant::now() + if self.end.is_cancelled() { LAST_STOP_LIMIT } else { STOP_LIMIT };
            let answer = self.post(self.base.stop(mode, task), key, body.into(), by).await?;
            let status = answer.status();
            if status.is_success() { Ok(()) } else { Err(Error::internal(format!("Dify answered {status}"))) }
        };
        if let Err(error) = asked.await {
            tracing::warn!(error = ?error, app_id = %run.app.id, "a run that nobody listens to may go on at Dify");
        }
    }
}

fn slow() -> Error {
    Error::new(Code::UpstreamTimeout, "Dify took too long to answer.")
}

fn authorization(key: &Secret) -> Result<HeaderValue> {
    let text = zeroize::Zeroizing::new(format!("Bearer {}", key.expose()));
    // Its error quotes nothing, but the key in the table cannot be one.
    let mut value = HeaderValue::from_str(&text).map_err(Error::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The trace of the request that the run is for, where it is traced.
fn traced() -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    trace::inject(&tracing::Span::current(), &mut headers);
    headers
}
