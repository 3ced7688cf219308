//! Replicas confirm what a failover must not take back (`REDIS_WAIT_REPLICAS`).
//!
//! These tests start servers of their own. They are skipped when there is no `redis-server`.

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{
    backend::{charge, count_concurrent},
    redis_server::{RedisServer, free_port, stores_on},
    samples::{grant_request, new_approval, new_claim_id, new_codes},
};
use crate::{
    domain::{
        Code, Result,
        grant::ClaimOutcome,
        id::{AccountId, TokenId},
        limit::{LimitName, Quota},
        secret::{TokenHash, sha256_hex},
        session::TokenContext,
        subject::Subject,
    },
    ports::{
        clock::{Clock as _, SystemClock},
        nonce_store::NonceKind,
        state_stores::{RefusedCommandError, StateStores},
    },
    store::state::redis::options::COMMAND_TIMEOUT,
};

struct Pair {
    master: RedisServer,
    replica: RedisServer,
}

/// Repeats what replicas confirm, because they may lag on a busy machine.
async fn confirmed<T>(write: impl AsyncFn() -> Result<T>) -> T {
    let start = Instant::now();
    loop {
        match write().await {
            Ok(value) => return value,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(10), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Pair {
    async fn start(arguments: &[&str]) -> Option<Self> {
        let master = RedisServer::start(free_port(), arguments)?;
        let follow = ["--replicaof", "127.0.0.1", &master.port.to_string()];
        let pair = Self { replica: RedisServer::start(free_port(), &follow)?, master };
        let stores = stores_on(pair.master.port, 1);
        let start = Instant::now();
        while arguments.is_empty() && stores.health.check_commands().await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "the replica does not follow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(pair)
    }
}

fn new_hash() -> TokenHash {
    TokenHash::from_stored(sha256_hex(Uuid::new_v4().as_bytes()))
}

/// Every write that has to be confirmed, by name.
async fn confirmed_writes(stores: &StateStores) -> Vec<(&'static str, Result<()>)> {
    let grants = &stores.grants;
    let mut outcomes = Vec::new();
    outcomes.push(("invalidate", stores.token_cache.invalidate(&new_hash()).await));
    let nonce = Uuid::new_v4().to_string();
    outcomes.push(("consume", stores.nonces.consume(NonceKind::SsoState, &nonce).await.map(drop)));
    let (device, user) = new_codes();
    outcomes.push(("create", grants.create(&device, &user, &grant_request()).await.map(drop)));
    outcomes.push(("deny", grants.deny(std::slice::from_ref(&user)).await.map(drop)));
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_confirmed_while_a_replica_follows_and_fail_while_it_does_not() {
    let Some(pair) = Pair::start(&[]).await else { return };
    let (stores, careless) = (stores_on(pair.master.port, 1), stores_on(pair.master.port, 0));
    confirmed(async || confirmed_writes(&stores).await.into_iter().try_for_each(|(_, outcome)| outcome)).await;
    let (device, user) = confirmed(async || {
        let (device, user) = new_codes();
        stores.grants.create(&device, &user, &grant_request()).await.map(|_| (device, user))
    })
    .await;
    let (users, claim, approval) = ([user], new_claim_id(), new_approval());
    assert!(matches!(stores.grants.claim(&users, claim).await.unwrap(), ClaimOutcome::Claimed(_)));

    pair.replica.signal("-STOP");
    assert_eq!(stores.grants.finish(&users, claim, &approval).await.unwrap_err().code(), Code::ServiceUnavailable);
    // The master has executed it.
    let redeemed = stores.grants.redeem(&device, approval.token_id).await;
    assert_eq!(redeemed.unwrap_err().code(), Code::ServiceUnavailable);
    // A reply about a write that no replica has confirmed has to be confirmed as well.
    assert!(stores.grants.finish(&users, claim, &approval).await.is_err());
    assert!(stores.grants.redeem(&device, approval.token_id).await.is_err());
    assert!(stores.health.check_commands().await.is_err(), "readiness reports it");
    let start = Instant::now();
    for (name, outcome) in confirmed_writes(&stores).await {
        assert_eq!(outcome.expect_err(name).code(), Code::ServiceUnavailable, "{name}");
    }
    assert!(start.elapsed() < 4 * COMMAND_TIMEOUT, "{:?}", start.elapsed());
    for (name, outcome) in confirmed_writes(&careless).await {
        outcome.unwrap_or_else(|error| panic!("without confirmations, {name}: {error}"));
    }

    pair.replica.signal("-CONT");
    confirmed(async || stores.token_cache.invalidate(&new_hash()).await).await;
    assert!(!confirmed(async || stores.grants.redeem(&device, approval.token_id).await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_replicas_delay_no_read() {
    let Some(pair) = Pair::start(&[]).await else { return };
    let stores = stores_on(pair.master.port, 1);
    pair.replica.signal("-STOP");
    let writes: Vec<_> = (0..500)
        .map(|_| {
            let stores = stores.clone();
            tokio::spawn(async move { stores.token_cache.invalidate(&new_hash()).await.is_ok() })
        })
        .collect();
    let limit = charge(LimitName::Token, "unused", Quota::new(60, 60));
    let start = Instant::now();
    for _ in 0..20 {
        stores.token_cache.get_and_charge(&new_hash(), &limit).await.unwrap();
    }
    assert!(start.elapsed() < COMMAND_TIMEOUT, "{:?}", start.elapsed());
    for write in writes {
        assert!(!write.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_writes_that_replicas_confirm_one_wins() {
    let Some(pair) = Pair::start(&[]).await else { return };
    let stores = stores_on(pair.master.port, 1);
    confirmed(async || stores.token_cache.invalidate(&new_hash()).await).await;
    let consume = || {
        let stores = stores.clone();
        async move { stores.nonces.consume(NonceKind::SsoState, "one").await.is_ok_and(|is_new| is_new) }
    };
    assert!(count_concurrent(consume).await <= 1, "one at most, and none when the replica lags");
    // Their groups are confirmed by now, or the nonce is used without a confirmation.
    assert!(!confirmed(async || stores.nonces.consume(NonceKind::SsoState, "one").await).await);
}

/// What `docs/operations.md` recommends against an old master that is cut off from its replicas.
#[tokio::test(flavor = "multi_thread")]
async fn master_without_replicas_that_refuses_writes_serves_no_cached_token() {
    let Some(pair) = Pair::start(&["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1"]).await else {
        return;
    };
    let stores = stores_on(pair.master.port, 0);
    let (hash, limit) = (new_hash(), charge(LimitName::Token, "unused", Quota::new(60, 60)));
    let context = TokenContext {
        token_id: TokenId(Uuid::new_v4()),
        subject: Subject::Account { id: AccountId(Uuid::new_v4()), email: "a@example.com".to_owned() },
        client_id: "difyctl".to_owned(),
        expires_at: SystemClock.now(),
        verdicts: None,
    };
    let start = Instant::now();
    while stores.token_cache.put(&hash, &context).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "the replica does not follow");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(stores.token_cache.get_and_charge(&hash, &limit).await.is_ok());
    pair.replica.signal("-STOP");
    let start = Instant::now();
    while stores.token_cache.get_and_charge(&hash, &limit).await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10), "the cached token is still read");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_refuses_to_wait_is_named() {
    let Some(pair) = Pair::start(&["--user", "default", "on", "nopass", "~*", "&*", "+@all", "-wait"]).await else {
        return;
    };
    let stores = stores_on(pair.master.port, 1);
    let start = Instant::now();
    loop {
        let error = stores.health.check_commands().await.unwrap_err();
        if let Some(refused) = error.source().and_then(|source| source.downcast_ref::<RefusedCommandError>()) {
            assert!(refused.command == "WAIT" && refused.is_permanent(), "{refused}");
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{error:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
