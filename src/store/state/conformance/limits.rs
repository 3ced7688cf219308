//! Limits, login lockouts, leases and slots.

use std::time::Duration;

use uuid::Uuid;

use super::{Stand, charge};
use crate::{
    domain::limit::{Charge, LimitDecision, LimitName, Quota},
    ports::state::Judged,
};

async fn one(stand: &Stand, charge: &Charge) -> LimitDecision {
    stand.state.charge(std::slice::from_ref(charge)).await.unwrap()
}

/// Refused, and told to wait at most this many seconds, and no less than half a second under it.
fn assert_limited(verdict: LimitDecision, seconds: u64) {
    let LimitDecision::Limited(wait) = verdict else { panic!("allowed") };
    let most = Duration::from_secs(seconds);
    assert!(wait <= most && wait + Duration::from_millis(500) >= most, "{wait:?} is not about {most:?}");
}

pub(super) async fn one_over_the_limit_is_refused_and_one_comes_back_per_emission(stand: &Stand) {
    let bucket = charge(LimitName::DeviceCode, "192.0.2.1", Quota::new(60, 3_600));
    for _ in 0..60 {
        assert_eq!(one(stand, &bucket).await, LimitDecision::Allowed);
    }
    assert_limited(one(stand, &bucket).await, 60);
    assert_limited(one(stand, &bucket).await, 60);
    stand.advance_secs(60);
    assert_eq!(one(stand, &bucket).await, LimitDecision::Allowed);
    assert_limited(one(stand, &bucket).await, 60);
    stand.advance_secs(3_600);
    for _ in 0..60 {
        assert_eq!(one(stand, &bucket).await, LimitDecision::Allowed, "all of them come back in the period");
    }
    assert_limited(one(stand, &bucket).await, 60);
}

pub(super) async fn a_limit_that_is_off_is_free(stand: &Stand) {
    let off = charge(LimitName::Lookup, "192.0.2.1", Quota::new(0, 1));
    for _ in 0..100 {
        assert_eq!(one(stand, &off).await, LimitDecision::Allowed);
    }
    assert_eq!(stand.state.peek(&off).await.unwrap(), LimitDecision::Allowed);
    assert_eq!(stand.state.charge(&[]).await.unwrap(), LimitDecision::Allowed);
}

pub(super) async fn peeking_charges_nothing(stand: &Stand) {
    let bucket = charge(LimitName::UserCode, "192.0.2.1", Quota::new(2, 120));
    for _ in 0..10 {
        assert_eq!(stand.state.peek(&bucket).await.unwrap(), LimitDecision::Allowed);
    }
    assert_eq!(one(stand, &bucket).await, LimitDecision::Allowed);
    assert_eq!(stand.state.peek(&bucket).await.unwrap(), LimitDecision::Allowed);
    assert_eq!(one(stand, &bucket).await, LimitDecision::Allowed);
    assert_limited(stand.state.peek(&bucket).await.unwrap(), 60);
    stand.advance_secs(60);
    assert_eq!(stand.state.peek(&bucket).await.unwrap(), LimitDecision::Allowed);
}

pub(super) async fn several_charges_stop_at_the_first_that_is_full(stand: &Stand) {
    let first = charge(LimitName::UserCode, "192.0.2.1", Quota::new(2, 3_600));
    let second = charge(LimitName::UserCode, "an-account", Quota::new(1, 3_600));
    let third = charge(LimitName::Approve, "an-account", Quota::new(1, 3_600));
    let all = [first.clone(), second, third.clone()];
    assert_eq!(stand.state.charge(&all).await.unwrap(), LimitDecision::Allowed);
    stand.advance_secs(1);
    assert_limited(stand.state.charge(&all).await.unwrap(), 3_599);
    assert_limited(stand.state.peek(&first).await.unwrap(), 1_799);
    assert_limited(stand.state.peek(&third).await.unwrap(), 3_599);
    let fresh = charge(LimitName::Revoke, "192.0.2.1", Quota::new(1, 3_600));
    assert_limited(stand.state.charge(&[first, fresh.clone()]).await.unwrap(), 1_799);
    assert_eq!(
        stand.state.peek(&fresh).await.unwrap(),
        LimitDecision::Allowed,
        "what comes after a refusal is not charged"
    );
}

pub(super) async fn buckets_are_apart_by_name_and_by_key(stand: &Stand) {
    let quota = Quota::new(1, 60);
    for (name, key) in [(LimitName::Revoke, "a"), (LimitName::Revoke, "b"), (LimitName::Refresh, "a")] {
        assert_eq!(one(stand, &charge(name, key, quota)).await, LimitDecision::Allowed);
    }
    assert_limited(one(stand, &charge(LimitName::Revoke, "a", quota)).await, 60);
}

const LOCKOUT: Duration = Duration::from_mins(10);
const LOGINS: Quota = Quota { count: 5, period: LOCKOUT };

/// An attempt that is judged at once, if it is let in.
async fn judged(stand: &Stand, keys: &[String], judged: Judged) -> LimitDecision {
    let id = Uuid::new_v4();
    let verdict = stand.state.begin_login(keys, id, LOGINS).await.unwrap();
    if verdict == LimitDecision::Allowed {
        stand.state.end_login(keys, id, judged, LOGINS).await.unwrap();
    }
    verdict
}

async fn attempt(stand: &Stand, keys: &[String]) -> LimitDecision {
    judged(stand, keys, Judged::Wrong).await
}

fn keys(account: &str, address: &str) -> [String; 2] {
    [format!("account:{account}"), format!("ip:{address}")]
}

pub(super) async fn a_login_is_locked_out_after_its_failures(stand: &Stand) {
    for _ in 0..5 {
        assert_eq!(attempt(stand, &keys("a", "1")).await, LimitDecision::Allowed);
        stand.advance_secs(10);
    }
    assert_limited(attempt(stand, &keys("a", "1")).await, 590);
    assert_limited(attempt(stand, &keys("a", "2")).await, 590);
    for _ in 0..5 {
        assert_eq!(
            attempt(stand, &keys("b", "2")).await,
            LimitDecision::Allowed,
            "a refusal counted nothing against 2"
        );
    }
    stand.advance_secs(550);
    assert_limited(attempt(stand, &keys("a", "1")).await, 40);
    stand.advance_secs(40);
    assert_eq!(attempt(stand, &keys("a", "1")).await, LimitDecision::Allowed, "the lockout runs from the last failure");
}

pub(super) async fn a_right_password_forgets_the_account_and_leaves_the_address(stand: &Stand) {
    for _ in 0..3 {
        assert_eq!(attempt(stand, &keys("a", "1")).await, LimitDecision::Allowed);
    }
    for _ in 0..10 {
        assert_eq!(judged(stand, &keys("a", "1"), Judged::Right).await, LimitDecision::Allowed);
    }
    // The address has two left of its five.
    for _ in 0..2 {
        assert_eq!(attempt(stand, &keys("b", "1")).await, LimitDecision::Allowed);
    }
    assert_limited(attempt(stand, &keys("b", "1")).await, 600);
    for _ in 0..5 {
        assert_eq!(attempt(stand, &keys("a", "2")).await, LimitDecision::Allowed);
    }
    assert_limited(attempt(stand, &keys("a", "3")).await, 600);
    stand.state.end_login(&keys("never", "seen"), Uuid::new_v4(), Judged::Right, LOGINS).await.unwrap();
}

pub(super) async fn an_attempt_that_nobody_judged_counts_nothing(stand: &Stand) {
    for _ in 0..4 {
        assert_eq!(attempt(stand, &keys("a", "1")).await, LimitDecision::Allowed);
    }
    for _ in 0..20 {
        assert_eq!(judged(stand, &keys("a", "1"), Judged::Not).await, LimitDecision::Allowed);
    }
    assert_eq!(attempt(stand, &keys("a", "1")).await, LimitDecision::Allowed);
    assert_limited(attempt(stand, &keys("a", "2")).await, 600);
    assert_limited(attempt(stand, &keys("b", "1")).await, 600);
    stand.state.end_login(&keys("never", "seen"), Uuid::new_v4(), Judged::Not, LOGINS).await.unwrap();
}

pub(super) async fn an_attempt_of_which_nobody_tells_is_forgotten(stand: &Stand) {
    assert_eq!(attempt(stand, &keys("a", "1")).await, LimitDecision::Allowed);
    for _ in 0..4 {
        let begun = stand.state.begin_login(&keys("a", "1"), Uuid::new_v4(), LOGINS).await.unwrap();
        assert_eq!(begun, LimitDecision::Allowed);
        stand.advance_secs(2);
    }
    // Meanwhile they count as if they were wrong: any number at once cannot pass together.
    assert_limited(attempt(stand, &keys("a", "2")).await, 22);
    assert_limited(attempt(stand, &keys("b", "1")).await, 22);
    stand.advance_secs(28);
    for _ in 0..4 {
        assert_eq!(
            attempt(stand, &keys("a", "1")).await,
            LimitDecision::Allowed,
            "only the one that was judged counts"
        );
    }
    assert_limited(attempt(stand, &keys("a", "1")).await, 600);
}

pub(super) async fn a_lease_is_held_by_one(stand: &Stand) {
    assert!(stand.state.take_lease("retention", LOCKOUT).await.unwrap());
    assert!(!stand.state.take_lease("retention", LOCKOUT).await.unwrap());
    assert!(stand.state.take_lease("flush", LOCKOUT).await.unwrap());
    stand.advance(LOCKOUT);
    assert!(stand.state.take_lease("retention", LOCKOUT).await.unwrap());
    stand.state.return_lease("retention").await.unwrap();
    stand.state.return_lease("never taken").await.unwrap();
    assert!(stand.state.take_lease("retention", LOCKOUT).await.unwrap());
}

pub(super) async fn slots_are_taken_released_and_forgotten(stand: &Stand) {
    let (one, two, three) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let lasting = Duration::from_secs(90);
    let take = async |holder, most| stand.state.take_slot("app", holder, most, lasting).await.unwrap();
    assert!(take(one, 2).await && take(two, 2).await);
    assert!(!take(three, 2).await, "all are taken");
    assert!(take(one, 2).await, "a holder keeps its own");
    assert!(stand.state.take_slot("other", three, 1, lasting).await.unwrap(), "keys have slots of their own");
    stand.state.release_slot("app", two).await.unwrap();
    stand.state.release_slot("app", two).await.unwrap();
    assert!(take(three, 2).await);
    // A holder that renews lives on; one that is gone is forgotten.
    stand.advance_secs(60);
    assert!(take(one, 2).await);
    stand.advance_secs(60);
    assert!(take(two, 2).await, "the third has not renewed");
    assert!(!take(three, 2).await);
    // A maximum that was lowered lets nobody in until there is room under it.
    stand.state.release_slot("app", one).await.unwrap();
    assert!(!take(three, 1).await);
    stand.state.release_slot("app", two).await.unwrap();
    assert!(take(three, 1).await);
    stand.state.release_slot("app", Uuid::new_v4()).await.unwrap();
    stand.state.release_slot("never", one).await.unwrap();
}

pub(super) async fn the_store_answers(stand: &Stand) {
    stand.state.ping().await.unwrap();
}
