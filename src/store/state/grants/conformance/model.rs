//! Random sequences of steps, compared with the history of the grant. A claim without a finish stands for a crash.

use std::slice::from_ref;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;

use super::history::History;
use crate::{
    domain::id::ClaimId,
    store::state::tests::{
        backend::TestBackend,
        samples::{grant_request, new_approval, new_claim_id, new_codes},
    },
};

/// A step of a flow. Time advances by whole seconds, so that the real time that passes on Redis does not reach a
/// boundary.
#[derive(Clone, Debug)]
enum GrantStep {
    Poll { is_other: bool },
    Claim(usize),
    Finish(usize),
    Release(usize),
    Deny,
    Redeem { is_other: bool },
    Find,
    Advance(u64),
}

fn step() -> impl Strategy<Value = GrantStep> {
    prop_oneof![
        4 => proptest::bool::weighted(0.2).prop_map(|is_other| GrantStep::Poll { is_other }),
        4 => (0..3_usize).prop_map(GrantStep::Claim),
        4 => (0..3_usize).prop_map(GrantStep::Finish),
        1 => (0..3_usize).prop_map(GrantStep::Release),
        1 => Just(GrantStep::Deny),
        2 => proptest::bool::weighted(0.3).prop_map(|is_other| GrantStep::Redeem { is_other }),
        1 => Just(GrantStep::Find),
        6 => prop_oneof![4 => 1..=11_u64, 1 => 30..=65_u64, 1 => 400..=900_u64].prop_map(GrantStep::Advance),
    ]
}

async fn compare(backend: &TestBackend, steps: &[GrantStep]) -> Result<(), TestCaseError> {
    let claims: [ClaimId; 3] = std::array::from_fn(|_| new_claim_id());
    let approved = new_approval();
    let (device, user) = new_codes();
    let keys = from_ref(&user);
    let mut now = 1_000_000_000_000_u64;
    let mut history = History::new(now, approved.clone());
    prop_assert!(backend.stores.grants.create(&device, &user, &grant_request()).await.unwrap());
    for step in steps {
        match *step {
            GrantStep::Poll { is_other } => {
                let client = if is_other { "other" } else { "difyctl" };
                prop_assert_eq!(backend.stores.grants.poll(&device, client).await.unwrap(), history.poll(client, now));
            }
            GrantStep::Claim(who) => {
                let claimed = backend.stores.grants.claim(keys, claims[who]).await.unwrap();
                prop_assert_eq!(claimed, history.claim(claims[who], now));
            }
            GrantStep::Finish(who) => {
                let finished = backend.stores.grants.finish(keys, claims[who], &approved).await.unwrap();
                prop_assert_eq!(finished, history.finish(claims[who], now));
            }
            GrantStep::Release(who) => {
                history.release(claims[who], now);
                backend.stores.grants.release(keys, claims[who]).await.unwrap();
            }
            GrantStep::Deny => prop_assert_eq!(backend.stores.grants.deny(keys).await.unwrap(), history.deny(now)),
            GrantStep::Redeem { is_other } => {
                let token_id = if is_other { new_approval().token_id } else { approved.token_id };
                let redeemed = backend.stores.grants.redeem(&device, token_id).await.unwrap();
                prop_assert_eq!(redeemed, history.redeem(token_id, now));
            }
            GrantStep::Find => {
                let found = backend.stores.grants.find_pending(keys).await.unwrap().map(|grant| grant.request);
                prop_assert_eq!(found, history.is_pending(now).then(grant_request));
            }
            GrantStep::Advance(seconds) => {
                now += seconds * 1_000;
                backend.advance_secs(seconds);
            }
        }
    }
    Ok(())
}

fn check(cases: u32, backend: &TestBackend, runtime: &Runtime) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let steps = proptest::collection::vec(step(), 1..40);
    runner.run(&steps, |steps| runtime.block_on(compare(backend, &steps))).unwrap();
}

#[test]
fn in_process_grants_behave_as_their_history() {
    check(1_024, &TestBackend::in_process(), &Runtime::new().unwrap());
}

#[test]
fn redis_grants_behave_as_their_history() {
    if let Some(backend) = TestBackend::redis() {
        check(512, &backend, &Runtime::new().unwrap());
    }
}
