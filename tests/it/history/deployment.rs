//! Two replicas of the service on a PostgreSQL with a synchronous standby and on a Redis with a replica. Each has proxies
//! of its own, so that a partition can separate one replica from one store. The second one is a process, to be killed,
//! and has a host of its own where the system allows it.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::TimeDelta;

use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::time::Instant;

use super::{
    actors::{Actor, DeviceCodes},
    faults,
    record::{History, Recorder, TokenCall},
    replica_host::ReplicaHost,
    requests::TIMEOUT,
};
use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    namespace::Namespace,
    postgres_pair::PostgresPair,
    redis_pair::RedisPair,
    replica_process::ReplicaProcess,
    server::{MEMBER, OWNER, free_port, no_limits},
    tcp_proxy::TcpProxy,
};

/// The time limit of the recovery after the last fault.
const RECOVERY_LIMIT: Duration = Duration::from_mins(1);
/// Actors of each account.
const ACTORS: usize = 3;

/// A replica and its ways to the stores.
pub struct Replica {
    pub server: TestServer,
    pub redis: TcpProxy,
    pub postgres: TcpProxy,
}

pub struct Deployment {
    /// The first runs in this process.
    pub replicas: [Replica; 2],
    /// The process of the second one; `None` while it is killed.
    process: Mutex<Option<ReplicaProcess>>,
    /// The host of the second one, where this system allows namespaces.
    pub host: Option<ReplicaHost>,
    pub redis: RedisPair,
    pub postgres: PostgresPair,
    pub recorder: Recorder,
    pub grants: Mutex<Vec<DeviceCodes>>,
    stopped: AtomicBool,
}

impl Deployment {
    /// Returns `None` with a message when the tests have no servers.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// Starts it with these variables of both replicas.
    pub async fn start_with(variables: &[(&str, &str)]) -> Option<Self> {
        let (redis, postgres) = (RedisPair::start().await?, PostgresPair::start().await?);
        let host = Namespace::Network.is_here().then(ReplicaHost::new);
        let [to_redis, to_postgres, at] = host.as_ref().map_or([Ipv4Addr::LOCALHOST; 3], ReplicaHost::addresses);
        let proxies = async |to_redis, to_postgres| {
            let redis = TcpProxy::listening_at(to_redis, redis.master().port).await;
            (redis, TcpProxy::listening_at(to_postgres, postgres.primary().port).await)
        };
        let database = |proxy: &TcpProxy| format!("postgres://postgres@{}/postgres", proxy.authority());
        let state = |proxy: &TcpProxy| format!("redis://{}/0", proxy.authority());
        let first = proxies(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST).await;
        let second = proxies(to_redis, to_postgres).await;
        let stores =
            Stores::Servers { database: database(&first.1), redis: state(&first.0), prefix: "history".to_owned() };
        let limits = no_limits();
        let common = [("OPENAPI_RATE_LIMITS", &*limits), ("OAUTH_TTL_DAYS", "1")];
        let one = TestServer::start_with(stores, &[&common, variables].concat()).await;
        let address = || format!("{at}:{}", free_port());
        let variables = [
            ("DATABASE_URL", database(&second.1)),
            ("REDIS_URL", state(&second.0)),
            ("LISTEN", address()),
            ("INNER_LISTEN", address()),
        ];
        let other = one.replica_elsewhere(&variables.each_ref().map(|(name, value)| (*name, value.as_str())));
        let network = host.as_ref().map(|host| &host.network);
        let process = ReplicaProcess::start(&other, network, one.clock.offset()).await;
        let recorder = Recorder::new(one.clock.clone());
        let replicas = [(one, first), (other, second)];
        Some(Self {
            replicas: replicas.map(|(server, (redis, postgres))| Replica { server, redis, postgres }),
            process: Mutex::new(Some(process)),
            host,
            redis,
            postgres,
            recorder,
            grants: Mutex::default(),
            stopped: AtomicBool::new(false),
        })
    }

    /// Runs actors, clock and faults; after the recovery uses every token at both replicas.
    pub async fn run(&self, seed: u64, duration: Duration) -> History {
        let mut random = StdRng::seed_from_u64(seed);
        let mut actors = Vec::new();
        for nth in 0..2 * ACTORS {
            let email = [OWNER, MEMBER][nth % 2];
            let browser = Browser::signed_in(&self.replicas[0].server, email).await;
            actors.push(Actor::new(self, nth, nth % 2, browser, StdRng::from_rng(&mut random)));
        }
        let work = futures_util::future::join_all(actors.iter_mut().map(Actor::work));
        let clock = self.move_clock(StdRng::from_rng(&mut random));
        let storm = async {
            faults::inject(self, StdRng::from_rng(&mut random), Instant::now() + duration).await;
            self.wait_until_healthy().await;
            self.stopped.store(true, Ordering::Relaxed);
        };
        tokio::join!(work, clock, storm);
        self.use_all_tokens(&mut actors[0]).await;
        self.recorder.snapshot()
    }

    pub fn is_running(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    /// Lets the service's time pass several times faster, and sometimes past the end of grants and of tokens.
    async fn move_clock(&self, mut random: StdRng) {
        while self.is_running() {
            tokio::time::sleep(Duration::from_millis(random.random_range(100..200))).await;
            let seconds = match random.random_range(0..150) {
                0 => 25 * 3_600,
                1 | 2 => 900,
                3 => 3_600,
                _ => 1,
            };
            self.advance(seconds);
        }
    }

    /// Moves the clocks of the second replica and then of the first one.
    fn advance(&self, seconds: i64) {
        let clock = &self.replicas[0].server.clock;
        let mut process = self.process.lock();
        self.recorder.expect_offset(clock.offset() + 1_000_000 * seconds);
        if let Some(process) = &mut *process {
            process.set_clock(clock.offset() + 1_000_000 * seconds);
        }
        clock.advance(TimeDelta::seconds(seconds));
    }

    /// Kills the second replica, and starts a new one in its place after a time.
    pub async fn kill_replica(&self, downtime: Duration) {
        let process = self.process.lock().take();
        process.unwrap().kill();
        tokio::time::sleep(downtime).await;
        let replica = &self.replicas[1].server;
        let network = self.host.as_ref().map(|host| &host.network);
        let mut process = ReplicaProcess::start(replica, network, replica.clock.offset()).await;
        let mut place = self.process.lock();
        // The clock went on while the process started.
        process.set_clock(replica.clock.offset());
        *place = Some(process);
    }

    /// Replaces the primary of PostgreSQL with its standby, to which the address of the primary then leads.
    pub async fn fail_over_postgres(&self) {
        self.postgres.fail_over().await;
        for replica in &self.replicas {
            replica.postgres.set_target(self.postgres.primary().port);
        }
        self.postgres.replace_standby().await;
    }

    /// Replaces the master of Redis with its replica. Loses nothing that the replica has confirmed.
    pub async fn fail_over_redis(&self) {
        // After a kill, the replica may still have the data that was lost.
        self.redis.wait_until_synchronous().await;
        self.redis.fail_over();
        self.follow_redis();
        self.redis.replace_replica().await;
    }

    /// Lets the addresses of Redis lead to its present master.
    pub fn follow_redis(&self) {
        for replica in &self.replicas {
            replica.redis.set_target(self.redis.master().port);
        }
    }

    /// Whether a replica accepts requests. It may be killed the moment after.
    pub fn is_up(&self, replica: usize) -> bool {
        replica == 0 || self.process.lock().is_some()
    }

    /// Sends a request. `None` when the outcome is unknown: a 503, no response in time, or the end of the replica.
    pub async fn send(&self, request: RequestBuilder) -> Option<Answer> {
        let answer = match tokio::time::timeout(TIMEOUT, Answer::try_to(request)).await.ok()? {
            Ok(answer) => answer,
            Err(error) => {
                let first = &self.replicas[0].server;
                let port = |url: &str| url.rsplit_once(':').unwrap().1.to_owned();
                let failed = error.url().unwrap().port().unwrap().to_string();
                assert!(![port(&first.url), port(&first.inner(""))].contains(&failed), "{error}");
                return None;
            }
        };
        assert!(answer.status != 500, "{}", answer.text);
        (answer.status != 503).then_some(answer)
    }

    async fn wait_until_healthy(&self) {
        let began = Instant::now();
        let mut in_succession = 0;
        // Both replicas have several connections to each store.
        while in_succession < 10 {
            in_succession = match self.check_health().await {
                Ok(()) => in_succession + 1,
                Err(error) if began.elapsed() > RECOVERY_LIMIT => panic!("the replicas do not recover: {error}"),
                Err(_) => 0,
            };
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Uses SQL and Redis at both replicas.
    async fn check_health(&self) -> Result<(), String> {
        for (nth, replica) in self.replicas.iter().enumerate() {
            let body = json!({"client_id": "difyctl", "device_label": "health"});
            // An unknown token needs SQL.
            let unknown = Bearer::with_token(&replica.server, &format!("dfoa_{:043}", rand::random::<u32>()), "");
            let used = unknown.request(Method::GET, super::requests::ACCOUNT);
            let used = Answer::to(used).await;
            let codes = Device::request_codes(&replica.server, &body).await;
            if (used.status, codes.status) != (401, 200) {
                return Err(format!("replica {nth}: {} {}", used.text, codes.text));
            }
        }
        Ok(())
    }

    /// Calls that are recorded as final, after the queued invalidations had time.
    async fn use_all_tokens(&self, actor: &mut Actor<'_>) {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let count = self.recorder.change(|history| history.tokens.len());
        for token in 0..count {
            for replica in [0, 1] {
                actor.call_token(token, TokenCall::Use, replica, true).await;
            }
        }
    }
}
