//! Any interleaving of steps comes to what its history says, in either store. Whoever claims and never finishes has crashed.

use std::slice::from_ref;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;

use super::{Stand, approval, claim_id, codes, history::History, request};
use crate::domain::id::ClaimId;

/// Steps of a flow. Time moves by whole seconds: real time, which runs besides on Redis, then never crosses a boundary first.
#[derive(Clone, Debug)]
enum Step {
    Poll { stranger: bool },
    Claim(usize),
    Finish(usize),
    Release(usize),
    Deny,
    Redeem { stranger: bool },
    Find,
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::bool::weighted(0.2).prop_map(|stranger| Step::Poll { stranger }),
        4 => (0..3_usize).prop_map(Step::Claim),
        4 => (0..3_usize).prop_map(Step::Finish),
        1 => (0..3_usize).prop_map(Step::Release),
        1 => Just(Step::Deny),
        2 => proptest::bool::weighted(0.3).prop_map(|stranger| Step::Redeem { stranger }),
        1 => Just(Step::Find),
        6 => prop_oneof![4 => 1..=11_u64, 1 => 30..=65_u64, 1 => 400..=900_u64].prop_map(Step::Advance),
    ]
}

async fn follow(stand: &Stand, steps: &[Step]) -> Result<(), TestCaseError> {
    let claims: [ClaimId; 3] = std::array::from_fn(|_| claim_id());
    let approved = approval();
    let (device, user) = codes();
    let keys = from_ref(&user);
    let mut now = 1_000_000_000_000_u64;
    let mut history = History::new(now, approved.clone());
    prop_assert!(stand.state.create_grant(&device, &user, &request()).await.unwrap());
    for step in steps {
        match *step {
            Step::Poll { stranger } => {
                let client = if stranger { "other" } else { "difyctl" };
                prop_assert_eq!(stand.state.poll_grant(&device, client).await.unwrap(), history.poll(client, now));
            }
            Step::Claim(who) => {
                let claimed = stand.state.claim_grant(keys, claims[who]).await.unwrap();
                prop_assert_eq!(claimed, history.claim(claims[who], now));
            }
            Step::Finish(who) => {
                let finished = stand.state.finish_grant(keys, claims[who], &approved).await.unwrap();
                prop_assert_eq!(finished, history.finish(claims[who], now));
            }
            Step::Release(who) => {
                history.release(claims[who], now);
                stand.state.release_grant(keys, claims[who]).await.unwrap();
            }
            Step::Deny => prop_assert_eq!(stand.state.deny_grant(keys).await.unwrap(), history.deny(now)),
            Step::Redeem { stranger } => {
                let token_id = if stranger { approval().token_id } else { approved.token_id };
                let redeemed = stand.state.redeem_grant(&device, token_id).await.unwrap();
                prop_assert_eq!(redeemed, history.redeem(token_id, now));
            }
            Step::Find => {
                let found = stand.state.find_pending_grant(keys).await.unwrap().map(|grant| grant.request);
                prop_assert_eq!(found, history.is_pending(now).then(request));
            }
            Step::Advance(seconds) => {
                now += seconds * 1_000;
                stand.advance_secs(seconds);
            }
        }
    }
    Ok(())
}

fn check(cases: u32, stand: &Stand, runtime: &Runtime) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let steps = proptest::collection::vec(step(), 1..40);
    runner.run(&steps, |steps| runtime.block_on(follow(stand, &steps))).unwrap();
}

#[test]
fn in_process_every_interleaving_ends_as_its_history_says() {
    check(1_024, &Stand::memory(), &Runtime::new().unwrap());
}

#[test]
fn on_redis_every_interleaving_ends_as_its_history_says() {
    if let Some(stand) = Stand::redis() {
        check(512, &stand, &Runtime::new().unwrap());
    }
}
