//! A few multiplexed connections, each kept alive by a task of its own, cloned per command and never checked out per command:
//! the pool's ping on checkout would double every command's round trips.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    options::{COMMAND_TIMEOUT, CONNECT_TIMEOUT, Held, LINKS, Link, Pool},
    script::Script,
};
use crate::domain::{Error, Result};

/// How often an idle connection is asked whether it still answers.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// The first and the longest pause between two attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

#[derive(Clone)]
enum Status {
    /// Being made, for the first time or because the last one broke: worth waiting for.
    Connecting,
    Up(Link),
    /// The last attempt failed; the next is under way. Commands fail at once.
    Down,
}

/// What makes a keeper look at its connection before its time.
#[derive(Default)]
struct Alarm {
    suspect: Notify,
    /// Set when the server answers but is of no use, such as a master that was demoted.
    useless: AtomicBool,
}

#[derive(Default)]
struct Slot {
    status: OnceLock<watch::Receiver<Status>>,
    alarm: Arc<Alarm>,
}

/// The connections of a process. Nothing is connected before the first command.
pub(super) struct Links {
    pool: Arc<Pool>,
    probe: String,
    slots: [Slot; LINKS],
    turn: AtomicUsize,
}

impl Links {
    pub(super) fn new(pool: Pool, probe: String) -> Self {
        Self { pool: Arc::new(pool), probe, slots: Default::default(), turn: AtomicUsize::new(0) }
    }

    /// Whether replies come from a cluster, where keys of several slots cannot share a command.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(*self.pool, Pool::Cluster(_))
    }

    /// Runs a script: by its name, and by its text where the server has forgotten it. `fill` writes the number of keys, the
    /// keys and the arguments.
    pub(super) async fn eval<T: FromRedisValue>(
        &self,
        script: &Script,
        fill: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<T> {
        let command = |verb: &str, name: &str| {
            let mut command = redis::cmd(verb);
            command.arg(name);
            fill(&mut command);
            command
        };
        let deadline = Instant::now() + COMMAND_TIMEOUT;
        let outcome = self.run_by(deadline, &command("EVALSHA", &script.sha)).await?;
        let forgotten = |error: &RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
        if outcome.as_ref().err().is_some_and(forgotten) {
            return self.run_by(deadline, &command("EVAL", script.code)).await?.map_err(|error| fault(&error));
        }
        outcome.map_err(|error| fault(&error))
    }

    /// Runs one command.
    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.run_by(Instant::now() + COMMAND_TIMEOUT, command).await?.map_err(|error| fault(&error))
    }

    /// Whether Redis answers.
    pub(super) async fn ping(&self) -> Result<()> {
        self.run::<i64>(&probe_command(&self.probe)).await.map(|_| ())
    }

    /// Runs a command that must be over by the deadline. The outer error is for no answer in time, the inner one is the driver's.
    async fn run_by<T: FromRedisValue>(&self, deadline: Instant, command: &Cmd) -> Result<Result<T, RedisError>> {
        let whole = async { Ok(self.link().await?.run(command).await) };
        let outcome = timeout_at(deadline, whole).await.unwrap_or_else(|late| {
            self.suspect(false);
            Err(Error::unavailable(late))
        })?;
        if let Err(error) = &outcome {
            if is_broken(error) {
                self.suspect(false);
            } else if is_read_only(error) {
                self.suspect(true);
            }
        }
        Ok(outcome)
    }

    /// A live connection, taking turns; one that is being made when there is no other.
    async fn link(&self) -> Result<Link> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut awaited = None;
        for step in 0..LINKS {
            let status = self.slots[(turn + step) % LINKS].status(&self.pool, &self.probe);
            match &*status.borrow() {
                Status::Up(link) => return Ok(link.clone()),
                Status::Connecting if awaited.is_none() => awaited = Some(status.clone()),
                Status::Connecting | Status::Down => {}
            }
        }
        let Some(mut status) = awaited else { return Err(Error::unavailable("Redis cannot be reached")) };
        let settled =
            status.wait_for(|status| !matches!(status, Status::Connecting)).await.map_err(Error::unavailable)?;
        match &*settled {
            Status::Up(link) => Ok(link.clone()),
            Status::Connecting | Status::Down => Err(Error::unavailable("Redis cannot be reached")),
        }
    }

    fn suspect(&self, useless: bool) {
        for slot in &self.slots {
            if useless {
                slot.alarm.useless.store(true, Ordering::Release);
            }
            slot.alarm.suspect.notify_one();
        }
    }
}

impl Slot {
    /// Where the connection stands; the first who asks starts its keeper, which ends with the last receiver.
    fn status(&self, pool: &Arc<Pool>, probe: &str) -> &watch::Receiver<Status> {
        self.status.get_or_init(|| {
            let (sender, receiver) = watch::channel(Status::Connecting);
            tokio::spawn(keep(Arc::clone(pool), probe_command(probe), sender, Arc::clone(&self.alarm)));
            receiver
        })
    }
}

/// Connects, watches over the connection, and connects again when it breaks.
async fn keep(pool: Arc<Pool>, probe: Cmd, status: watch::Sender<Status>, alarm: Arc<Alarm>) {
    let mut pause = PAUSES.0;
    let mut reported = false;
    while !status.is_closed() {
        // The pool's own limits bound each of its steps; this bounds them together.
        let opened = timeout(CONNECT_TIMEOUT, pool.open()).await.unwrap_or_else(|late| Err(Error::unavailable(late)));
        match opened {
            Ok(held) => {
                if std::mem::take(&mut reported) {
                    tracing::info!("Redis is back");
                }
                pause = PAUSES.0;
                alarm.useless.store(false, Ordering::Release);
                status.send_replace(Status::Up(held.link()));
                tokio::select! {
                    () = until_broken(&held, &probe, &alarm) => {}
                    () = status.closed() => return,
                }
                status.send_replace(Status::Connecting);
                held.discard();
            }
            Err(error) => {
                if !std::mem::replace(&mut reported, true) {
                    tracing::warn!(error = &error as &dyn std::error::Error, "Redis cannot be reached; still trying");
                }
                status.send_replace(Status::Down);
                tokio::select! {
                    () = sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                    () = status.closed() => return,
                }
            }
        }
    }
}

async fn until_broken(held: &Held, probe: &Cmd, alarm: &Alarm) {
    let mut link = held.link();
    loop {
        tokio::select! {
            () = alarm.suspect.notified() => {}
            () = sleep(PROBE_EVERY) => {}
        }
        if alarm.useless.load(Ordering::Acquire) {
            return;
        }
        match timeout(COMMAND_TIMEOUT, link.run::<i64>(probe)).await {
            // An answer, even a complaint, is no reason to reconnect.
            Ok(outcome) if outcome.as_ref().err().is_none_or(|error| !is_broken(error)) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

fn probe_command(key: &str) -> Cmd {
    let mut command = redis::cmd("EXISTS");
    command.arg(key);
    command
}

fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.kind() == ErrorKind::ClusterConnectionNotFound
}

/// What the log learns of it. Redis and the driver quote arguments and answers in their own words (`unknown command …, with
/// args beginning with …`), and a key holds a token's hash: only the kind is kept, and what the operating system says.
fn fault(error: &RedisError) -> Error {
    let kind = error.kind();
    Error::unavailable(match (kind, error.code()) {
        (ErrorKind::Io, _) => error.to_string(),
        (_, Some(code)) => format!("Redis refused a command ({kind:?}, {code})"),
        (_, None) => format!("Redis refused a command ({kind:?})"),
    })
}

/// Redis 6 wraps what a script ran into in an error of its own, so the words are looked at as well.
fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        || error.detail().is_some_and(|detail| detail.contains("READONLY"))
}
