//! The faults: stores are killed, paused, restarted and failed over, a replica is killed, and single replicas lose the
//! way to a store.

use std::time::Duration;

use rand::{
    Rng as _,
    rngs::StdRng,
    seq::{IndexedRandom as _, SliceRandom as _},
};
use tokio::time::{Instant, sleep};

use super::deployment::Deployment;
use crate::support::{
    network::Loss,
    tcp_proxy::{TcpProxy, Traffic},
};

#[derive(Clone, Copy, Debug)]
enum Fault {
    RedisKill,
    RedisPause,
    /// Reads pass, and writes wait.
    RedisWritePause,
    /// The master is lost, and its replica is promoted.
    RedisFailover,
    PostgresKill,
    PostgresPause,
    /// The primary is lost, and its synchronous standby is promoted.
    PostgresFailover,
    /// SIGKILL, and a new process on the same stores.
    ReplicaKill,
    /// Existing connections become silent.
    Cut,
    Partition(Traffic),
    /// The network between the second replica and a store loses what is sent in one direction or in both.
    PacketLoss(Loss),
}

/// Faults that every run has, because they take long.
const ALWAYS: [Fault; 3] = [Fault::RedisFailover, Fault::PostgresFailover, Fault::ReplicaKill];
/// Faults of which a run has some.
const SOMETIMES: [Fault; 10] = [
    Fault::RedisKill,
    Fault::RedisPause,
    Fault::RedisWritePause,
    Fault::PostgresKill,
    Fault::PostgresPause,
    Fault::Cut,
    Fault::Partition(Traffic::Nothing),
    Fault::Partition(Traffic::RequestsOnly),
    Fault::Partition(Traffic::RequestsOnly),
    Fault::Partition(Traffic::Refused),
];

/// Faults of a deployment whose second replica has a host of its own.
const LOSSES: [Fault; 3] =
    [Fault::PacketLoss(Loss::Requests), Fault::PacketLoss(Loss::Replies), Fault::PacketLoss(Loss::Both)];

/// Injects one fault after the other until a time. Ends healed.
pub async fn inject(deployment: &Deployment, mut random: StdRng, until: Instant) {
    let mut always = ALWAYS.to_vec();
    let mut sometimes = SOMETIMES.to_vec();
    if deployment.host.is_some() {
        always.extend(LOSSES.choose(&mut random));
        sometimes.extend(LOSSES);
    }
    always.shuffle(&mut random);
    while Instant::now() < until || !always.is_empty() {
        sleep(Duration::from_millis(random.random_range(300..1_200))).await;
        let chosen = *sometimes.choose(&mut random).unwrap();
        let fault = if random.random_bool(0.4) { always.pop().unwrap_or(chosen) } else { chosen };
        let lasts = Duration::from_millis(random.random_range(200..2_000));
        eprintln!("{fault:?} for {lasts:?}");
        suffer(deployment, fault, lasts, &mut random).await;
    }
}

async fn suffer(deployment: &Deployment, fault: Fault, lasts: Duration, random: &mut StdRng) {
    let (redis, postgres) = (deployment.redis.master(), &deployment.postgres);
    match fault {
        Fault::RedisKill => {
            let span = deployment.recorder.start();
            redis.kill();
            sleep(lasts / 4).await;
            redis.restart().await;
            let span = deployment.recorder.end(span);
            deployment.recorder.change(|history| history.losses.push(span));
        }
        Fault::RedisPause => {
            redis.pause();
            sleep(lasts).await;
            redis.resume();
        }
        Fault::RedisWritePause => {
            redis.pause_writes(lasts).await;
            sleep(lasts).await;
        }
        Fault::RedisFailover => deployment.fail_over_redis().await,
        Fault::PostgresKill => {
            let primary = postgres.primary();
            primary.kill();
            sleep(lasts / 4).await;
            primary.restart().await;
        }
        Fault::PostgresPause => {
            let primary = postgres.primary();
            primary.pause();
            sleep(lasts).await;
            primary.resume();
        }
        Fault::PostgresFailover => deployment.fail_over_postgres().await,
        Fault::ReplicaKill => deployment.kill_replica(lasts / 4).await,
        Fault::Cut => proxy(deployment, random).cut(),
        Fault::Partition(traffic) => {
            let proxy = proxy(deployment, random);
            proxy.set_traffic(traffic);
            sleep(lasts).await;
            proxy.set_traffic(Traffic::All);
        }
        Fault::PacketLoss(loss) => {
            let host = deployment.host.as_ref().unwrap();
            let cable = if random.random_bool(0.5) { &host.to_redis } else { &host.to_postgres };
            cable.lose(loss);
            sleep(lasts).await;
            cable.repair(loss);
        }
    }
}

/// The way from one replica to one store.
fn proxy<'a>(deployment: &'a Deployment, random: &mut StdRng) -> &'a TcpProxy {
    let replica = deployment.replicas.choose(random).unwrap();
    if random.random_bool(0.5) { &replica.redis } else { &replica.postgres }
}
