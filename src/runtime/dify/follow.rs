//! Events of a run at Dify that this service does not relay, such as one that continued after a pause.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{
    DifyRuntime, RUN_BYTES, UpstreamPermit,
    error_response::{ErrorResponse, NO_IDS},
    relay::{Relay, RunSender},
};
use crate::{
    domain::{Code, Error, Result, id::WorkflowRunId},
    memory::{MemoryKind, Owner},
    ports::runtime::{self, EVENTS_AHEAD, FollowOptions, RunOfUser, RunStream},
    telemetry::carry::carry,
};

/// How long one stream follows a run.
const FOLLOW_LIMIT: Duration = Duration::from_hours(1);

impl DifyRuntime {
    /// Fails with `not_found` for a run that is not the user's.
    pub(super) async fn follow_run(
        &self,
        of: RunOfUser<'_>,
        run: WorkflowRunId,
        options: FollowOptions,
    ) -> Result<RunStream> {
        let api = &self.api;
        let workspace = Owner::of(&of.app.workspace_id.0);
        let place = api.take_connection(of.app)?;
        let memory = api.memory.reserve_for(workspace, MemoryKind::Runs, RUN_BYTES)?;
        let connection = UpstreamPermit { _place: place, _memory: memory };
        let deadline = Instant::now() + api.first_byte_timeout;
        let key = api.keys.get(of.app).await?;
        let url = api.urls.events(run, of.user, options);
        let response = api.request(Method::GET, url, &key, None, deadline).await?;
        let status = response.status();
        if status != StatusCode::OK {
            if status == StatusCode::UNAUTHORIZED {
                api.keys.forget(of.app.id, &key);
            }
            return Err(ErrorResponse::read(response).await.into_follow_error());
        }
        let event_memory = api.memory.permit(MemoryKind::Runs, Some(workspace));
        let relay = Relay::new(response, of.app.mode, NO_IDS, event_memory);
        let mut relay = relay.continuing_on_pause(options.continue_on_pause);
        let (events, stream) = runtime::events(EVENTS_AHEAD, &api.memory);
        // The headers of the response are the start.
        let (start_sender, _) = oneshot::channel();
        let mut sender = RunSender::new(start_sender, events);
        sender.start();
        let (end, until) = (api.end.clone(), Instant::now() + FOLLOW_LIMIT);
        self.tasks.spawn(carry(async move {
            let _connection = connection;
            tokio::select! {
                biased;
                _ = relay.run(&mut sender, until) => {}
                () = end.cancelled() => {
                    let message = "The server is stopping. Follow the run again.";
                    sender.try_fail(Error::new(Code::ServiceUnavailable, message));
                }
                () = sleep_until(until) => {
                    let message = "This stream has followed the run for as long as is allowed.";
                    sender.try_fail(Error::new(Code::UpstreamTimeout, message).with_hint("Follow the run again."));
                }
            }
        }));
        Ok(stream)
    }
}
