//! Any interleaving of steps ends alike in a store and in the domain's own state machine.

use std::slice::from_ref;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;

use super::{Stand, approval, claim_id, codes, request};
use crate::domain::{
    grant::{Claim, Deny, Grant, Poll},
    id::ClaimId,
};

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

/// Lets the model take a step: `None` once the grant is gone.
fn advance<T>(model: &mut Option<Grant>, gone: T, step: impl FnOnce(Grant) -> (Grant, T)) -> T {
    let Some(grant) = model.take() else { return gone };
    let (grant, outcome) = step(grant);
    *model = Some(grant);
    outcome
}

async fn follow(stand: &Stand, steps: &[Step]) -> Result<(), TestCaseError> {
    let claims: [ClaimId; 3] = std::array::from_fn(|_| claim_id());
    let approved = approval();
    let (device, user) = codes();
    let keys = from_ref(&user);
    let mut now = 1_000_000_000_000_u64;
    let mut model = Some(Grant::new(request(), now));
    prop_assert!(stand.state.create_grant(&device, &user, &request()).await.unwrap());
    for step in steps {
        match *step {
            Step::Poll { stranger } => {
                let client = if stranger { "other" } else { "difyctl" };
                let expected = advance(&mut model, Poll::Unknown, |grant| grant.poll(client, now));
                prop_assert_eq!(stand.state.poll_grant(&device, client).await.unwrap(), expected);
            }
            Step::Claim(who) => {
                let expected = advance(&mut model, Claim::Unknown, |grant| grant.claim(claims[who], now));
                prop_assert_eq!(stand.state.claim_grant(keys, claims[who]).await.unwrap(), expected);
            }
            Step::Finish(who) => {
                let expected = advance(&mut model, false, |grant| grant.finish(claims[who], approved.clone(), now));
                prop_assert_eq!(stand.state.finish_grant(keys, claims[who], &approved).await.unwrap(), expected);
            }
            Step::Release(who) => {
                advance(&mut model, (), |grant| (grant.release(claims[who], now), ()));
                stand.state.release_grant(keys, claims[who]).await.unwrap();
            }
            Step::Deny => {
                let expected = advance(&mut model, Deny::Unknown, |grant| grant.deny(now));
                prop_assert_eq!(stand.state.deny_grant(keys).await.unwrap(), expected);
            }
            Step::Redeem { stranger } => {
                let token_id = if stranger { approval().token_id } else { approved.token_id };
                let expected = model.as_ref().is_some_and(|grant| grant.redeems(token_id, now));
                prop_assert_eq!(stand.state.redeem_grant(&device, token_id).await.unwrap(), expected);
                if expected {
                    model = None;
                }
            }
            Step::Find => {
                let expected = model.as_ref().and_then(|grant| grant.pending(now)).map(|grant| grant.request);
                let found = stand.state.find_pending_grant(keys).await.unwrap().map(|grant| grant.request);
                prop_assert_eq!(found, expected);
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
fn in_process_every_interleaving_ends_as_the_domain_says() {
    check(1_024, &Stand::memory(), &Runtime::new().unwrap());
}

#[test]
fn on_redis_every_interleaving_ends_as_the_domain_says() {
    if let Some(stand) = Stand::redis() {
        check(512, &stand, &Runtime::new().unwrap());
    }
}
