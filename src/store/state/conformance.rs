//! What both stores must do, races included. In process it always runs; on Redis when `TEST_REDIS_URL` says where one is:
//! `redis://…`, `redis+cluster://host:port,…` or `redis+sentinel://host:port,…/service`. Every test has a key prefix of its own.

mod grants;
mod healing;
mod history;
mod levels;
mod limits;
mod model;
mod races;
mod secrecy;
mod tokens;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    memory::Memory,
    redis::{Redis, RedisOptions, Topology},
};
use crate::{
    domain::{
        grant::{Approval, GrantRequest},
        id::{ClaimId, TokenId},
        limit::{Charge, LimitName, Quota},
        secret::{DeviceCodeHash, Secret, UserCodeKey, sha256_hex},
    },
    ports::{clock::Clock, state::State},
};

/// A clock that stands until it is moved.
struct MovedClock(Arc<AtomicI64>);

impl Clock for MovedClock {
    fn now(&self) -> DateTime<Utc> {
        let start = 1_800_000_000_000_000;
        DateTime::from_timestamp_micros(start + self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// A store under test and the handle on its clock.
struct Stand {
    state: Arc<dyn State>,
    offset: Arc<AtomicI64>,
    prefix: String,
}

impl Stand {
    fn memory() -> Self {
        let offset = Arc::new(AtomicI64::new(0));
        let state = Arc::new(Memory::new(Arc::new(MovedClock(Arc::clone(&offset)))));
        Self { state, offset, prefix: String::new() }
    }

    fn redis() -> Option<Self> {
        let offset = Arc::new(AtomicI64::new(0));
        let prefix = format!("test-{}", Uuid::new_v4().simple());
        let options = RedisOptions::new(topology()?).key_prefix(Some(prefix.clone()));
        let state = Arc::new(Redis::connect(options).unwrap().with_clock_offset(Arc::clone(&offset)));
        Some(Self { state, offset, prefix })
    }

    /// Moves the store's clock.
    fn advance(&self, by: Duration) {
        self.offset.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }

    fn advance_secs(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// A new pending grant of `difyctl`.
    async fn grant(&self) -> (DeviceCodeHash, UserCodeKey) {
        let (device, user) = codes();
        assert!(self.state.create_grant(&device, &user, &request()).await.unwrap());
        (device, user)
    }

    /// A grant that was approved with the session returned.
    async fn approved(&self) -> (DeviceCodeHash, UserCodeKey, TokenId) {
        let (device, user) = self.grant().await;
        let (claim, approval) = (claim_id(), approval());
        self.state.claim_grant(std::slice::from_ref(&user), claim).await.unwrap();
        assert!(self.state.finish_grant(std::slice::from_ref(&user), claim, &approval).await.unwrap());
        (device, user, approval.token_id)
    }
}

/// Where `TEST_REDIS_URL` says.
fn topology() -> Option<Topology> {
    let url = std::env::var("TEST_REDIS_URL").ok()?;
    let urls = |hosts: &str| hosts.split(',').map(|host| Secret::new(format!("redis://{host}"))).collect::<Vec<_>>();
    Some(if let Some(hosts) = url.strip_prefix("redis+cluster://") {
        Topology::Cluster { urls: urls(hosts) }
    } else if let Some((hosts, service)) = url.strip_prefix("redis+sentinel://").and_then(|rest| rest.split_once('/')) {
        Topology::Sentinel {
            urls: urls(hosts),
            service_name: service.to_owned(),
            username: None,
            password: None,
            db: 0,
            tls: false,
        }
    } else {
        Topology::Single { url: Secret::new(url) }
    })
}

/// A connection of the test's own, where a single server is under test.
async fn raw() -> Option<redis::aio::MultiplexedConnection> {
    let Some(Topology::Single { url }) = topology() else { return None };
    Some(redis::Client::open(url.expose()).unwrap().get_multiplexed_async_connection().await.unwrap())
}

fn codes() -> (DeviceCodeHash, UserCodeKey) {
    let hash = || sha256_hex(Uuid::new_v4().as_bytes());
    (DeviceCodeHash::from_stored(hash()), UserCodeKey::new(hash()))
}

fn request() -> GrantRequest {
    GrantRequest {
        client_id: "difyctl".to_owned(),
        device_label: "a \u{1f4bb} of \"mine\"".to_owned(),
        created_ip: "2001:db8::7".parse().unwrap(),
        user_agent: None,
        seal_key: [0xA5; 32],
    }
}

fn claim_id() -> ClaimId {
    ClaimId(Uuid::new_v4())
}

fn approval() -> Approval {
    Approval { token_id: TokenId(Uuid::new_v4()), sealed_token: vec![0, 255, 10, 13, 0] }
}

fn charge(name: LimitName, key: &str, quota: Quota) -> Charge {
    Charge { name, key: key.to_owned(), quota }
}

macro_rules! suite {
    ($($part:ident: $($name:ident),+;)+) => {
        mod in_process {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$part::$name(&super::Stand::memory()).await;
                }
            )+)+
        }

        mod on_redis {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    if let Some(stand) = super::Stand::redis() {
                        super::$part::$name(&stand).await;
                    }
                }
            )+)+
        }
    };
}

suite! {
    grants:
        a_grant_is_found_by_any_of_its_users_codes,
        a_taken_user_code_is_refused_until_its_grant_is_over,
        another_clients_poll_is_not_counted,
        an_early_poll_lengthens_the_interval_up_to_a_minute,
        a_poll_may_come_a_second_early,
        a_claim_keeps_others_out_until_it_ends,
        a_lost_claim_finishes_nothing,
        a_released_claim_may_be_taken_again,
        a_decision_lets_the_grant_live_a_minute,
        an_approved_grant_is_redeemed_once,
        a_denied_grant_stays_denied,
        a_grant_is_over_at_its_expiry,
        unknown_codes_are_unknown;
    limits:
        one_over_the_limit_is_refused_and_one_comes_back_per_emission,
        a_limit_that_is_off_is_free,
        peeking_charges_nothing,
        several_charges_stop_at_the_first_that_is_full,
        buckets_are_apart_by_name_and_by_key,
        a_login_is_locked_out_after_its_failures,
        a_right_password_forgets_the_account_and_leaves_the_address,
        an_attempt_that_nobody_judged_counts_nothing,
        an_attempt_of_which_nobody_tells_is_forgotten,
        a_lease_is_held_by_one,
        slots_are_taken_released_and_forgotten,
        the_store_answers;
    races:
        many_polls_redeem_a_token_once,
        many_approvals_take_one_claim,
        a_claim_and_a_denial_never_both_win,
        many_logins_never_exceed_their_limit,
        many_charges_never_exceed_their_limit,
        many_runs_take_no_more_slots_than_there_are,
        many_creations_of_one_user_code_make_one_grant;
}
