//! Follows a run from another connection or another replica, by its log.
//!
//! A follower reads the log at short intervals. It ends with the run, with a pause, or when the run is lost with its
//! replica.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Runs,
    finished::finished_event,
    log_reader::LogReader,
    run_owner::{owner, user_name},
    stop::no_such_run,
};
use crate::{
    domain::{Code, Error, Result, app::App, caller::Caller, id::WorkflowRunId, stored_run::RunCreator},
    memory::{MemoryKind, Owner, SharePermit},
    ports::{
        run_event::{FINISHED, PAUSED, RunEvent},
        run_log_store::{LogPage, RunPhase},
        runtime::{RunOfUser, RunStream},
    },
    store::sql::SqlStore,
};

pub(crate) use crate::ports::runtime::FollowOptions;

/// Limit of events that are read at once.
const PAGE: usize = 16;
/// Wait after reading the last event; doubled up to [`MAX_POLL`] while nothing happens.
const MIN_POLL: Duration = Duration::from_millis(100);
const MAX_POLL: Duration = Duration::from_secs(1);
/// How long the state store may be unavailable.
const OUTAGE_LIMIT: Duration = Duration::from_secs(20);
/// How long a run that has ended may take to be stored.
const STORE_LIMIT: Duration = Duration::from_secs(5);
/// How long one stream follows a run.
const FOLLOW_LIMIT: Duration = Duration::from_hours(1);
/// Memory of a follower without its page.
const FOLLOWER_BYTES: usize = 32 << 10;

/// The events of a run that is followed.
pub struct Followed(Kind);

enum Kind {
    /// From where the events are kept elsewhere.
    Stream(RunStream),
    Log(Box<Follower>),
}

impl Followed {
    /// The next event; `None` at the end. An error is the last item.
    pub async fn next(&mut self) -> Option<Result<RunEvent>> {
        match &mut self.0 {
            Kind::Stream(stream) => stream.next().await,
            Kind::Log(follower) => follower.next().await,
        }
    }
}

struct Follower {
    log: LogReader,
    sql: Arc<SqlStore>,
    run: WorkflowRunId,
    creator: RunCreator,
    continue_on_pause: bool,
    shutdown: CancellationToken,
    deadline: Instant,
    /// Number of the next event.
    next: u64,
    /// Number of the first event since the run was last resumed.
    segment: u64,
    page: VecDeque<Bytes>,
    phase: RunPhase,
    is_lost: bool,
    poll: Duration,
    has_ended: bool,
    _place: SharePermit,
}

impl Runs {
    /// The events of a run of the caller: from now on, or since it was last resumed; with a snapshot, also those before
    /// that are kept. Of a finished run, `workflow_finished`.
    ///
    /// Fails with `not_found` for the run of another caller, `app_mode_mismatch` for an app without a graph,
    /// `rate_limited`, and as `Apps::find_used` does.
    pub async fn follow(
        &self,
        caller: &Caller,
        app_id: &str,
        run_id: &str,
        options: FollowOptions,
    ) -> Result<Followed> {
        let app = self.apps.find_used(caller, app_id).await?;
        if !app.mode.has_graph() {
            let message = format!("Runs of a {} app have no events to follow.", app.mode.as_str());
            return Err(Error::new(Code::AppModeMismatch, message)
                .with_hint("Only runs of workflow and advanced-chat apps can be followed."));
        }
        let run = run_id.parse().map_err(|_| no_such_run())?;
        let user = user_name(&caller.token.subject);
        let creator = RunCreator { app: app.id, id: owner(caller, &app), forwarded_as: user.clone() };
        let mut follower = self.follower(run, creator, &app, options)?;
        let log = follower.log.read(0, 0).await?;
        if log.as_ref().is_some_and(|log| log.owner != follower.creator.id) {
            return Err(no_such_run());
        }
        let is_logged = log.as_ref().is_some_and(|log| log.phase == RunPhase::Running && !log.is_lost);
        if !is_logged
            && let Some(stream) = self.runtime.follow(RunOfUser { app: &app, user: &user }, run, options).await?
        {
            return Ok(Followed(Kind::Stream(stream)));
        }
        match log {
            Some(log) => follower.begin(&log, options),
            None if self.is_waiting(run, follower.creator.id).await? => {
                // The run waits longer than its log is kept.
                follower.phase = RunPhase::Paused;
            }
            None => {
                follower.phase = RunPhase::Finished;
                // Fails at once for a run that is not stored either.
                follower.find_end().await?;
            }
        }
        Ok(Followed(Kind::Log(Box::new(follower))))
    }

    fn follower(&self, run: WorkflowRunId, creator: RunCreator, app: &App, options: FollowOptions) -> Result<Follower> {
        let workspace = Owner::of(&app.workspace_id.0);
        let place = self.followers.take(workspace, Owner::of(&creator.id.0))?;
        let memory = self.recorders.memory.reserve_for(workspace, MemoryKind::Runs, FOLLOWER_BYTES)?;
        Ok(Follower {
            log: LogReader::new(Arc::clone(&self.recorders.logs), run, memory),
            sql: Arc::clone(&self.context.sql),
            run,
            creator,
            continue_on_pause: options.continue_on_pause,
            shutdown: self.shutdown.clone(),
            deadline: Instant::now() + FOLLOW_LIMIT,
            next: 0,
            segment: 0,
            page: VecDeque::new(),
            phase: RunPhase::Running,
            is_lost: false,
            poll: MIN_POLL,
            has_ended: false,
            _place: place,
        })
    }
}

impl Follower {
    /// Begins where the options say. Of a finished run, only its end is reported.
    fn begin(&mut self, log: &LogPage, options: FollowOptions) {
        (self.phase, self.is_lost) = (log.phase, log.is_lost);
        self.next = match log.segment {
            _ if options.include_state_snapshot => 0,
            0 => log.end,
            _ if log.phase == RunPhase::Paused => log.end,
            // A form was submitted: what followed may have been before this request.
            segment => segment,
        };
    }

    async fn next(&mut self) -> Option<Result<RunEvent>> {
        if self.has_ended {
            return None;
        }
        let next = self.find_next().await;
        self.has_ended |= next.is_err();
        Some(next)
    }

    async fn find_next(&mut self) -> Result<RunEvent> {
        loop {
            if let Some(json) = self.page.pop_front() {
                let number = self.next;
                self.next += 1;
                let event = RunEvent::parse(json).map_err(Error::internal)?;
                let is_pause = event.event == PAUSED && number >= self.segment && !self.continue_on_pause;
                self.has_ended = event.event == FINISHED || is_pause;
                return Ok(event);
            }
            if self.phase == RunPhase::Finished || self.is_lost {
                self.has_ended = true;
                return self.find_end().await;
            }
            if Instant::now() >= self.deadline {
                let message = "This stream has followed the run for as long as is allowed.";
                return Err(Error::new(Code::UpstreamTimeout, message).with_hint("Follow the run again."));
            }
            self.read().await?;
        }
    }

    /// Reads the next page; waits while there is none.
    async fn read(&mut self) -> Result<()> {
        let unavailable_at = Instant::now() + OUTAGE_LIMIT;
        loop {
            match self.log.read(self.next, PAGE).await {
                Ok(Some(log)) => {
                    (self.next, self.segment, self.is_lost) = (log.first, log.segment, log.is_lost);
                    let has_more = log.first + (log.events.len() as u64) < log.end;
                    // The end is reported after the last event.
                    self.phase = if has_more { RunPhase::Running } else { log.phase };
                    self.is_lost &= !has_more;
                    self.page = log.events.into();
                    if !self.page.is_empty() || self.phase == RunPhase::Finished || self.is_lost {
                        self.poll = MIN_POLL;
                        return Ok(());
                    }
                }
                Ok(None) if self.phase == RunPhase::Paused => {}
                // The log has expired, or the state store has lost it.
                Ok(None) => {
                    self.phase = RunPhase::Finished;
                    return Ok(());
                }
                Err(error) if Instant::now() >= unavailable_at => return Err(error),
                Err(_) => {}
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return Err(stopping()),
                () = sleep(self.poll) => {}
            }
            self.poll = (self.poll * 2).min(MAX_POLL);
            if Instant::now() >= self.deadline {
                return Ok(());
            }
        }
    }

    /// The last event of a run that has ended, as it is stored. A run whose reader left is stored shortly after its log
    /// ends.
    async fn find_end(&self) -> Result<RunEvent> {
        let deadline = Instant::now() + STORE_LIMIT;
        loop {
            match self.sql.find_workflow_run(self.run, &self.creator).await? {
                Some(run) => return finished_event(&run, self.log.task().map(|task| task.to_string())),
                None if self.is_lost => {
                    let message = "The server that ran this ended during the run.";
                    return Err(Error::new(Code::UpstreamError, message).with_hint("Run the app again."));
                }
                None if self.log.task().is_none() || Instant::now() >= deadline => return Err(no_such_run()),
                None => sleep(MIN_POLL).await,
            }
        }
    }
}

fn stopping() -> Error {
    Error::new(Code::ServiceUnavailable, "The server is stopping.").with_retry_after(Duration::from_secs(5))
}
