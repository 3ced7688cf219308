//! Logs of runs in Redis: a hash and a list for each, and a key from the run to its task.

use std::{sync::LazyLock, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{FromRedisValue as _, Value};
use uuid::Uuid;

use crate::{
    domain::{
        Error, Result,
        id::{EndUserId, TaskId, WorkflowRunId},
    },
    ports::run_log_store::{
        EVENT_OVERHEAD, FINISHED_RETENTION, LEASE, LogEntry, LogPage, MAX_BYTES, MAX_EVENTS, RETENTION, RunKey,
        RunLogStore, RunPhase, StopRequest,
    },
    store::state::redis::{
        RedisState,
        script::{CLOCK, Script},
    },
};

static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("append.lua")]));
static REQUEST_STOP: LazyLock<Script> = LazyLock::new(|| Script::new(&[include_str!("request_stop.lua")]));
static READ: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("read.lua")]));

/// Owner, phase, whether it is lost, segment, end, number of the first event, events.
type PageReply = (Vec<u8>, String, u8, u64, u64, u64, Vec<Vec<u8>>);

#[async_trait]
impl RunLogStore for RedisState {
    async fn append(&self, key: RunKey, entry: LogEntry) -> Result<bool> {
        let keys = self.keys();
        let script_keys = [keys.run_head(key.task), keys.run_events(key.task)];
        if let Some(run) = key.run
            && entry.links_run
        {
            let mut alias = redis::cmd("SET");
            alias.arg(keys.run_task(run)).arg(key.task.0.as_bytes()).arg("PX").arg(milliseconds(RETENTION));
            let () = self.run(&alias).await?;
        }
        let events_retention = if entry.phase == RunPhase::Finished { FINISHED_RETENTION } else { RETENTION };
        self.eval(&APPEND, &script_keys, |command| {
            command.arg(key.owner.0.as_bytes()).arg(phase_text(entry.phase)).arg(u8::from(entry.begins_segment));
            command.arg(milliseconds(LEASE)).arg(milliseconds(RETENTION)).arg(milliseconds(events_retention));
            command.arg(MAX_EVENTS).arg(MAX_BYTES).arg(EVENT_OVERHEAD);
            for event in &entry.events {
                command.arg(&event[..]);
            }
        })
        .await
    }

    async fn request_stop(&self, task: TaskId, owner: EndUserId) -> Result<StopRequest> {
        let reply: u8 = self
            .eval_without_clock(&REQUEST_STOP, &[self.keys().run_head(task)], |command| {
                command.arg(owner.0.as_bytes());
            })
            .await?;
        Ok(match reply {
            0 => StopRequest::Unknown,
            1 => StopRequest::OtherOwner,
            _ => StopRequest::Requested,
        })
    }

    async fn find_task(&self, run: WorkflowRunId) -> Result<Option<TaskId>> {
        let task: Option<Vec<u8>> = self.run(redis::cmd("GET").arg(self.keys().run_task(run))).await?;
        let task = task.map(|task| Uuid::from_slice(&task)).transpose().map_err(Error::internal)?;
        Ok(task.map(TaskId))
    }

    async fn read(&self, task: TaskId, from: u64, limit: usize) -> Result<Option<LogPage>> {
        let keys = self.keys();
        let script_keys = [keys.run_head(task), keys.run_events(task)];
        let reply: Value = self
            .eval(&READ, &script_keys, |command| {
                command.arg(from).arg(limit);
            })
            .await?;
        if matches!(&reply, Value::Array(members) if members.is_empty()) {
            return Ok(None);
        }
        let reply: PageReply = PageReply::from_redis_value(reply).map_err(Error::internal)?;
        let (owner, phase, is_lost, segment, end, first, events) = reply;
        let owner = EndUserId(Uuid::from_slice(&owner).map_err(Error::internal)?);
        Ok(Some(LogPage {
            owner,
            phase: match phase.as_str() {
                "running" => RunPhase::Running,
                "paused" => RunPhase::Paused,
                _ => RunPhase::Finished,
            },
            is_lost: is_lost == 1,
            segment,
            end,
            first,
            events: events.into_iter().map(Bytes::from).collect(),
        }))
    }
}

fn phase_text(phase: RunPhase) -> &'static str {
    match phase {
        RunPhase::Running => "running",
        RunPhase::Paused => "paused",
        RunPhase::Finished => "finished",
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
