//! Limits against a bucket that simply holds water: each charge pours one in, one drips out every so often, and none goes
//! in that would overflow.

use std::time::Duration;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::Stand;
use crate::domain::limit::{Charge, LimitDecision, LimitName, Quota};

/// Seconds in which one drips out. Time moves by halves of it, so that real time, which runs besides on Redis, decides
/// nothing.
const DRIP: u64 = 20;

#[derive(Clone, Debug)]
enum Step {
    Charge(usize),
    Both,
    Peek(usize),
    Refund(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_usize).prop_map(Step::Charge),
        2 => Just(Step::Both),
        2 => (0..2_usize).prop_map(Step::Peek),
        2 => (0..2_usize).prop_map(Step::Refund),
        3 => (1..6_u64).prop_map(|halves| Step::Advance(halves * DRIP / 2)),
    ]
}

/// Water, in seconds that it takes to drip out.
struct Bucket {
    level: u64,
    brim: u64,
}

impl Bucket {
    fn peek(&self) -> LimitDecision {
        match (self.level + DRIP).checked_sub(self.brim) {
            None | Some(0) => LimitDecision::Allowed,
            Some(over) => LimitDecision::Limited(Duration::from_secs(over)),
        }
    }

    fn charge(&mut self) -> LimitDecision {
        let verdict = self.peek();
        if verdict == LimitDecision::Allowed {
            self.level += DRIP;
        }
        verdict
    }
}

/// Redis' clock runs on while the bucket's stands: a wait may have become shorter, not longer.
fn alike(found: LimitDecision, expected: LimitDecision) -> bool {
    match (found, expected) {
        (LimitDecision::Limited(found), LimitDecision::Limited(expected)) => {
            found <= expected && expected.checked_sub(found).unwrap() < Duration::from_secs(DRIP / 2)
        }
        _ => found == expected,
    }
}

async fn follow(stand: &Stand, counts: [u32; 2], steps: &[Step]) -> Result<(), TestCaseError> {
    let key = Uuid::new_v4().to_string();
    let charges = [(LimitName::UserCode, counts[0]), (LimitName::Approve, counts[1])].map(|(name, count)| Charge {
        name,
        key: key.clone(),
        quota: Quota::new(count, DRIP * u64::from(count)),
    });
    let mut buckets = counts.map(|count| Bucket { level: 0, brim: DRIP * u64::from(count) });
    for step in steps {
        let (found, expected) = match *step {
            Step::Charge(which) => {
                (stand.state.charge(&charges[which..=which]).await.unwrap(), buckets[which].charge())
            }
            Step::Both => {
                let expected = match buckets[0].charge() {
                    LimitDecision::Allowed => buckets[1].charge(),
                    refused @ LimitDecision::Limited(_) => refused,
                };
                (stand.state.charge(&charges).await.unwrap(), expected)
            }
            Step::Peek(which) => (stand.state.peek(&charges[which]).await.unwrap(), buckets[which].peek()),
            Step::Refund(which) => {
                stand.state.refund(&charges[which..=which]).await.unwrap();
                buckets[which].level = buckets[which].level.saturating_sub(DRIP);
                continue;
            }
            Step::Advance(seconds) => {
                stand.advance_secs(seconds);
                for bucket in &mut buckets {
                    bucket.level = bucket.level.saturating_sub(seconds);
                }
                continue;
            }
        };
        prop_assert!(alike(found, expected), "{found:?}, not {expected:?}");
    }
    Ok(())
}

fn check(cases: u32, stand: &Stand, runtime: &Runtime) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let inputs = ([1..6_u32, 1..6_u32], proptest::collection::vec(step(), 1..60));
    runner.run(&inputs, |(counts, steps)| runtime.block_on(follow(stand, counts, &steps))).unwrap();
}

#[test]
fn in_process_limits_are_buckets_that_drip() {
    check(1_024, &Stand::memory(), &Runtime::new().unwrap());
}

#[test]
fn on_redis_limits_are_buckets_that_drip() {
    if let Some(stand) = Stand::redis() {
        check(256, &stand, &Runtime::new().unwrap());
    }
}
