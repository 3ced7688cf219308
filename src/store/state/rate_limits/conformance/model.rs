//! Random sequences of charges, compared with a leaky bucket: each charge adds to its level, the level falls with time,
//! and a charge that would overflow it is limited.

use std::time::Duration;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    domain::limit::{Charge, LimitDecision, LimitName, Quota},
    store::state::tests::backend::TestBackend,
};

/// Seconds in which one charge leaks. Time advances by halves of it, so that the real time that passes on Redis does
/// not reach a boundary.
const EMISSION: u64 = 20;

#[derive(Clone, Debug)]
enum LimitStep {
    Charge(usize),
    Both,
    Peek(usize),
    Refund(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = LimitStep> {
    prop_oneof![
        8 => (0..2_usize).prop_map(LimitStep::Charge),
        2 => Just(LimitStep::Both),
        2 => (0..2_usize).prop_map(LimitStep::Peek),
        2 => (0..2_usize).prop_map(LimitStep::Refund),
        3 => (1..6_u64).prop_map(|halves| LimitStep::Advance(halves * EMISSION / 2)),
    ]
}

/// A bucket whose level and capacity are the seconds in which it would leak.
struct LeakyBucket {
    level: u64,
    capacity: u64,
}

impl LeakyBucket {
    fn peek(&self) -> LimitDecision {
        match (self.level + EMISSION).checked_sub(self.capacity) {
            None | Some(0) => LimitDecision::Allowed,
            Some(over) => LimitDecision::Limited(Duration::from_secs(over)),
        }
    }

    fn charge(&mut self) -> LimitDecision {
        let verdict = self.peek();
        if verdict == LimitDecision::Allowed {
            self.level += EMISSION;
        }
        verdict
    }
}

/// Whether the verdicts agree. Redis' clock runs during the test, so a wait may be shorter than expected, but not
/// longer.
fn agree(found: LimitDecision, expected: LimitDecision) -> bool {
    match (found, expected) {
        (LimitDecision::Limited(found), LimitDecision::Limited(expected)) => {
            found <= expected && expected.checked_sub(found).unwrap() < Duration::from_secs(EMISSION / 2)
        }
        _ => found == expected,
    }
}

async fn compare(backend: &TestBackend, counts: [u32; 2], steps: &[LimitStep]) -> Result<(), TestCaseError> {
    let key = Uuid::new_v4().to_string();
    let charges = [(LimitName::UserCode, counts[0]), (LimitName::Approve, counts[1])].map(|(name, count)| Charge {
        name,
        key: key.clone(),
        quota: Quota::new(count, EMISSION * u64::from(count)),
    });
    let mut buckets = counts.map(|count| LeakyBucket { level: 0, capacity: EMISSION * u64::from(count) });
    for step in steps {
        let (found, expected) = match *step {
            LimitStep::Charge(which) => {
                (backend.stores.rate_limits.charge(&charges[which..=which]).await.unwrap(), buckets[which].charge())
            }
            LimitStep::Both => {
                let expected = match buckets[0].charge() {
                    LimitDecision::Allowed => buckets[1].charge(),
                    limited @ LimitDecision::Limited(_) => limited,
                };
                (backend.stores.rate_limits.charge(&charges).await.unwrap(), expected)
            }
            LimitStep::Peek(which) => {
                (backend.stores.rate_limits.peek(&charges[which]).await.unwrap(), buckets[which].peek())
            }
            LimitStep::Refund(which) => {
                backend.stores.rate_limits.refund(&charges[which..=which]).await.unwrap();
                buckets[which].level = buckets[which].level.saturating_sub(EMISSION);
                continue;
            }
            LimitStep::Advance(seconds) => {
                backend.advance_secs(seconds);
                for bucket in &mut buckets {
                    bucket.level = bucket.level.saturating_sub(seconds);
                }
                continue;
            }
        };
        prop_assert!(agree(found, expected), "{found:?}, not {expected:?}");
    }
    Ok(())
}

fn check(cases: u32, backend: &TestBackend, runtime: &Runtime) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let inputs = ([1..6_u32, 1..6_u32], proptest::collection::vec(step(), 1..60));
    runner.run(&inputs, |(counts, steps)| runtime.block_on(compare(backend, counts, &steps))).unwrap();
}

#[test]
fn in_process_limits_behave_as_leaky_buckets() {
    check(1_024, &TestBackend::in_process(), &Runtime::new().unwrap());
}

#[test]
fn redis_limits_behave_as_leaky_buckets() {
    if let Some(backend) = TestBackend::redis() {
        check(256, &backend, &Runtime::new().unwrap());
    }
}
