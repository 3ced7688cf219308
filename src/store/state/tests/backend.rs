//! The backends that conformance suites run on.
//!
//! The in-process suites always run. The suites on Redis run when `TEST_REDIS_URL` names a server: `redis://…`,
//! `redis+cluster://host:port,…` or `redis+sentinel://host:port,…/service`. `TEST_REDIS_WAIT_REPLICAS` is the number of
//! its replicas that confirm writes. Every test has a key prefix of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    domain::{
        limit::{Charge, LimitName, Quota},
        secret::Secret,
    },
    ports::{clock::Clock, redis_topology::RedisTopology, state_stores::StateStores},
    store::state::{in_process_stores, redis::options::RedisOptions, redis_stores},
};

/// A clock that stands still until its offset, in microseconds, is changed.
struct ManualClock(Arc<AtomicI64>);

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        let start = 1_800_000_000_000_000;
        DateTime::from_timestamp_micros(start + self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// The stores under test, and their clock.
pub(crate) struct TestBackend {
    pub(crate) stores: StateStores,
    /// Put before every key in Redis.
    pub(crate) key_prefix: String,
    clock_offset: Arc<AtomicI64>,
}

impl TestBackend {
    pub(crate) fn in_process() -> Self {
        let clock_offset = Arc::new(AtomicI64::new(0));
        let clock: Arc<dyn Clock> = Arc::new(ManualClock(Arc::clone(&clock_offset)));
        Self { stores: in_process_stores(&clock), key_prefix: String::new(), clock_offset }
    }

    /// Returns `None` when no Redis is configured.
    pub(crate) fn redis() -> Option<Self> {
        let clock_offset = Arc::new(AtomicI64::new(0));
        let key_prefix = format!("test-{}", Uuid::new_v4().simple());
        let options = RedisOptions::new(topology()?)
            .with_key_prefix(Some(key_prefix.clone()))
            .with_wait_replicas(wait_replicas())
            .with_clock_offset(Arc::clone(&clock_offset));
        Some(Self { stores: redis_stores(options).unwrap(), key_prefix, clock_offset })
    }

    /// Moves the stores' clock.
    pub(crate) fn advance(&self, duration: Duration) {
        self.clock_offset.fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn advance_secs(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }
}

fn wait_replicas() -> u8 {
    std::env::var("TEST_REDIS_WAIT_REPLICAS").map_or(0, |replicas| replicas.parse().unwrap())
}

fn topology() -> Option<RedisTopology> {
    let url = std::env::var("TEST_REDIS_URL").ok()?;
    let urls = |hosts: &str| hosts.split(',').map(|host| Secret::new(format!("redis://{host}"))).collect::<Vec<_>>();
    Some(if let Some(hosts) = url.strip_prefix("redis+cluster://") {
        RedisTopology::Cluster { urls: urls(hosts) }
    } else if let Some((hosts, service)) = url.strip_prefix("redis+sentinel://").and_then(|rest| rest.split_once('/')) {
        RedisTopology::Sentinel {
            urls: urls(hosts),
            service_name: service.to_owned(),
            username: None,
            password: None,
            db: 0,
            tls: false,
        }
    } else {
        RedisTopology::Single { url: Secret::new(url) }
    })
}

/// A connection of the test's own. Returns `None` when the server under test is not a single one.
pub(crate) async fn direct_connection() -> Option<redis::aio::MultiplexedConnection> {
    let Some(RedisTopology::Single { url }) = topology() else { return None };
    Some(redis::Client::open(url.expose()).unwrap().get_multiplexed_async_connection().await.unwrap())
}

pub(crate) fn charge(name: LimitName, key: &str, quota: Quota) -> Charge {
    Charge { name, key: key.to_owned(), quota }
}

/// How many tasks `count_concurrent` runs.
const CONCURRENT_TASKS: usize = 64;

/// Runs the same task many times at once and returns how many of them return `true`.
pub(crate) async fn count_concurrent<F>(task: impl Fn() -> F) -> usize
where
    F: Future<Output = bool> + Send + 'static,
{
    let tasks: Vec<_> = (0..CONCURRENT_TASKS).map(|_| tokio::spawn(task())).collect();
    let mut count = 0;
    for task in tasks {
        count += usize::from(task.await.unwrap());
    }
    count
}

/// Runs each of these functions on both backends.
macro_rules! on_both_backends {
    ($($name:ident),+ $(,)?) => {
        mod in_process {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(&$crate::store::state::tests::backend::TestBackend::in_process()).await;
                }
            )+
        }

        mod on_redis {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    if let Some(backend) = $crate::store::state::tests::backend::TestBackend::redis() {
                        super::$name(&backend).await;
                    }
                }
            )+
        }
    };
}

pub(crate) use on_both_backends;
