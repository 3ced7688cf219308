//! Runs apps by forwarding them to the service API of the Dify whose database this service uses.
//!
//! A run is one task from the request to the last event. It ends with Dify's last event. When the reader disconnects,
//! the run is stopped at Dify as soon as its task id is known. A run is sent once. Only after Dify rejects the app key,
//! when nothing has run, is it sent again with a new key.

pub(crate) mod sse;
mod upload;

mod app_keys;
mod error_response;
mod follow;
mod forms;
mod relay;
mod request;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{
    Body, Client, Method, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use self::{
    app_keys::AppKeys,
    error_response::{ErrorResponse, RequestedIds, upstream_error},
    relay::{Relay, RelayEnd, RunSender},
    request::ApiUrls,
};
use crate::{
    domain::{
        Code, Error, Result,
        app::App,
        human_form::{FormToken, OpenForm},
        id::{TaskId, WorkflowRunId, WorkspaceId},
        secret::Secret,
    },
    http_client::HttpClients,
    memory::{FairShares, MemoryKind, MemoryLedger, MemoryPermit, Owner, SharePermit},
    ports::{
        clock::Clock,
        entropy::Entropy,
        runtime::{self, AppRuntime, EVENTS_AHEAD, FollowOptions, FormSubmission, RunOfUser, RunRequest, RunStream},
    },
    store::sql::SqlStore,
    telemetry::{
        carry::carry,
        client_call,
        metrics::upstreams::{Upstream, UpstreamMetrics},
    },
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
    /// Largest number of connections; each is one run or one upload. A run above it is `rate_limited` at once, because
    /// waiting for another run to end could take minutes.
    pub max_connections: usize,
    /// Counts the requests.
    pub metrics: Arc<UpstreamMetrics>,
    /// Has the memory of runs and of their events.
    pub memory: MemoryLedger,
    pub clients: HttpClients,
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
    metrics: Arc<UpstreamMetrics>,
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
        let client = settings
            .clients
            .for_configured_server()?
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
            metrics: settings.metrics,
        };
        Ok(Self { api: Arc::new(api), tasks })
    }
}

#[async_trait]
impl AppRuntime for DifyRuntime {
    /// Returns at the first byte of the stream, so that an earlier failure becomes an error response.
    async fn start(&self, run: RunRequest) -> Result<RunStream> {
        let workspace = Owner::of(&run.app.workspace_id.0);
        let place = self.api.take_connection(&run.app)?;
        let memory = self.api.memory.reserve_for(workspace, MemoryKind::Runs, RUN_BYTES)?;
        let connection = UpstreamPermit { _place: place, _memory: memory };
        let event_memory = self.api.memory.permit(MemoryKind::Runs, Some(workspace));
        let (events, stream) = runtime::events(EVENTS_AHEAD, &self.api.memory);
        let (start_sender, started) = oneshot::channel();
        let api = Arc::clone(&self.api);
        let sender = RunSender::new(start_sender, events);
        // A task, because a run that was sent has to be stopped even when the caller disconnects meanwhile.
        self.tasks.spawn(carry(async move { api.run(run, sender, connection, event_memory).await }));
        started.await.map_err(Error::internal)??;
        Ok(stream)
    }

    /// Dify stops its own runs only, and succeeds for other tasks as well. The stream of the run then ends there.
    async fn stop(&self, of: RunOfUser<'_>, task: TaskId) -> Result<()> {
        let (url, body) = (self.api.urls.stop(of.app.mode, &task.to_string()), request::stop_body(of.user)?);
        let (_, response) =
            self.api.request_for(of.app, Method::POST, url, Some(body), Instant::now() + STOP_TIMEOUT).await?;
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        Err(upstream_error("Dify did not stop the run.").with_source(format!("Dify answered {status}")))
    }

    /// Of a run that this service does not relay, such as one that continued after its form was submitted.
    async fn follow(&self, of: RunOfUser<'_>, run: WorkflowRunId, options: FollowOptions) -> Result<Option<RunStream>> {
        self.follow_run(of, run, options).await.map(Some)
    }

    async fn find_form(&self, app: &App, token: &FormToken) -> Result<Option<OpenForm>> {
        self.api.get_form(app, token).await.map(Some)
    }

    async fn submit_form(&self, of: RunOfUser<'_>, submission: FormSubmission<'_>) -> Result<bool> {
        self.api.post_form(of, submission).await.map(|()| true)
    }
}

impl DifyClient {
    /// Takes a connection of the app's share. Does not wait.
    fn take_connection(&self, app: &App) -> Result<SharePermit> {
        self.take_connection_for(app.workspace_id, Owner::of(&app.id.0))
    }

    /// Takes a connection of the workspace's share, and of the share of an app or of a user.
    fn take_connection_for(&self, workspace: WorkspaceId, owner: Owner) -> Result<SharePermit> {
        Ok(self.connections.take(Owner::of(&workspace.0), owner)?)
    }

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

    /// Sends a run.
    async fn send(&self, run: &RunRequest, deadline: Instant) -> Result<(Secret, Response)> {
        let body = request::body(run)?.into();
        let (key, response) =
            self.request_for(&run.app, Method::POST, self.urls.run(run), Some(body), deadline).await?;
        let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|content_type| {
            let media_type = content_type.as_bytes().get(..17);
            media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case(b"text/event-stream"))
        });
        match response.status() {
            StatusCode::OK if is_stream => Ok((key, response)),
            _ => Err(ErrorResponse::read(response).await.into_error(RequestedIds::from(run))),
        }
    }

    /// Sends a request with the key of an app. Sends it again when Dify rejects the key and the app has another one by
    /// now.
    async fn request_for(
        &self,
        app: &App,
        method: Method,
        url: Url,
        body: Option<Bytes>,
        deadline: Instant,
    ) -> Result<(Secret, Response)> {
        let key = self.keys.get(app).await?;
        let response = self.request(method.clone(), url.clone(), &key, body.clone(), deadline).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.keys.forget(app.id, &key);
            let another = self.keys.get(app).await?;
            if !another.matches(key.expose()) {
                let response = self.request(method, url, &another, body, deadline).await?;
                return Ok((another, response));
            }
        }
        Ok((key, response))
    }

    /// Sends a request with a JSON body, or without a body, and waits for the head of its response.
    async fn request(
        &self,
        method: Method,
        url: Url,
        key: &Secret,
        body: Option<Bytes>,
        deadline: Instant,
    ) -> Result<Response> {
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/event-stream"))]);
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let response = self.dispatch(method, url, key, headers, body.map(Body::from));
        timeout_at(deadline, response).await.unwrap_or_else(|_| Err(timed_out()))
    }

    /// Sends a request with these headers. Has no timeout.
    async fn dispatch(
        &self,
        method: Method,
        url: Url,
        key: &Secret,
        mut headers: HeaderMap,
        body: Option<Body>,
    ) -> Result<Response> {
        headers.insert(AUTHORIZATION, authorization(key)?);
        let mut request = self.client.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        client_call::execute(Upstream::Dify, &self.metrics, request).await.map_err(|cause| {
            let error = if cause.is_timeout() { timed_out() } else { upstream_error("Dify is not answering.") };
            error.with_source(cause.without_url())
        })
    }

    /// Stops a run. One request suffices: Dify stores a flag that the task checks.
    async fn stop(&self, run: &RunRequest, key: &Secret, task: &str) {
        let timeout = if self.end.is_cancelled() { SHUTDOWN_STOP_TIMEOUT } else { STOP_TIMEOUT };
        let stopped = async {
            let body = request::stop_body(&run.user)?;
            let url = self.urls.stop(run.app.mode, task);
            let response = self.request(Method::POST, url, key, Some(body), Instant::now() + timeout).await?;
            let status = response.status();
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
