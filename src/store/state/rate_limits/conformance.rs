//! Buckets of rate limits, on both backends.

mod model;

use std::sync::Arc;

use crate::{
    domain::limit::{Charge, LimitDecision, LimitName, Quota},
    store::state::tests::{
        backend::{TestBackend, charge, count_concurrent, on_both_backends},
        samples::assert_limited,
    },
};

on_both_backends! {
    charge_over_the_limit_is_limited_until_the_next_emission,
    limit_that_is_off_always_allows,
    peek_does_not_charge,
    charges_stop_at_the_first_full_bucket,
    buckets_are_separate_by_name_and_by_key,
    concurrent_charges_do_not_exceed_the_limit,
}

async fn charge_one(backend: &TestBackend, charge: &Charge) -> LimitDecision {
    backend.stores.rate_limits.charge(std::slice::from_ref(charge)).await.unwrap()
}

async fn charge_over_the_limit_is_limited_until_the_next_emission(backend: &TestBackend) {
    let bucket = charge(LimitName::DeviceCode, "192.0.2.1", Quota::new(60, 3_600));
    for _ in 0..60 {
        assert_eq!(charge_one(backend, &bucket).await, LimitDecision::Allowed);
    }
    assert_limited(charge_one(backend, &bucket).await, 60);
    assert_limited(charge_one(backend, &bucket).await, 60);
    backend.advance_secs(60);
    assert_eq!(charge_one(backend, &bucket).await, LimitDecision::Allowed);
    assert_limited(charge_one(backend, &bucket).await, 60);
    backend.advance_secs(3_600);
    for _ in 0..60 {
        assert_eq!(
            charge_one(backend, &bucket).await,
            LimitDecision::Allowed,
            "all charges are available again after the period"
        );
    }
    assert_limited(charge_one(backend, &bucket).await, 60);
}

async fn limit_that_is_off_always_allows(backend: &TestBackend) {
    let off = charge(LimitName::Lookup, "192.0.2.1", Quota::new(0, 1));
    for _ in 0..100 {
        assert_eq!(charge_one(backend, &off).await, LimitDecision::Allowed);
    }
    assert_eq!(backend.stores.rate_limits.peek(&off).await.unwrap(), LimitDecision::Allowed);
    assert_eq!(backend.stores.rate_limits.charge(&[]).await.unwrap(), LimitDecision::Allowed);
}

async fn peek_does_not_charge(backend: &TestBackend) {
    let bucket = charge(LimitName::UserCode, "192.0.2.1", Quota::new(2, 120));
    for _ in 0..10 {
        assert_eq!(backend.stores.rate_limits.peek(&bucket).await.unwrap(), LimitDecision::Allowed);
    }
    assert_eq!(charge_one(backend, &bucket).await, LimitDecision::Allowed);
    assert_eq!(backend.stores.rate_limits.peek(&bucket).await.unwrap(), LimitDecision::Allowed);
    assert_eq!(charge_one(backend, &bucket).await, LimitDecision::Allowed);
    assert_limited(backend.stores.rate_limits.peek(&bucket).await.unwrap(), 60);
    backend.advance_secs(60);
    assert_eq!(backend.stores.rate_limits.peek(&bucket).await.unwrap(), LimitDecision::Allowed);
}

async fn charges_stop_at_the_first_full_bucket(backend: &TestBackend) {
    let first = charge(LimitName::UserCode, "192.0.2.1", Quota::new(2, 3_600));
    let second = charge(LimitName::UserCode, "an-account", Quota::new(1, 3_600));
    let third = charge(LimitName::Approve, "an-account", Quota::new(1, 3_600));
    let all = [first.clone(), second, third.clone()];
    assert_eq!(backend.stores.rate_limits.charge(&all).await.unwrap(), LimitDecision::Allowed);
    backend.advance_secs(1);
    assert_limited(backend.stores.rate_limits.charge(&all).await.unwrap(), 3_599);
    assert_limited(backend.stores.rate_limits.peek(&first).await.unwrap(), 1_799);
    assert_limited(backend.stores.rate_limits.peek(&third).await.unwrap(), 3_599);
    let fresh = charge(LimitName::Revoke, "192.0.2.1", Quota::new(1, 3_600));
    assert_limited(backend.stores.rate_limits.charge(&[first, fresh.clone()]).await.unwrap(), 1_799);
    assert_eq!(
        backend.stores.rate_limits.peek(&fresh).await.unwrap(),
        LimitDecision::Allowed,
        "a bucket after the full one is not charged"
    );
}

async fn buckets_are_separate_by_name_and_by_key(backend: &TestBackend) {
    let quota = Quota::new(1, 60);
    for (name, key) in [(LimitName::Revoke, "a"), (LimitName::Revoke, "b"), (LimitName::Refresh, "a")] {
        assert_eq!(charge_one(backend, &charge(name, key, quota)).await, LimitDecision::Allowed);
    }
    assert_limited(charge_one(backend, &charge(LimitName::Revoke, "a", quota)).await, 60);
}

async fn concurrent_charges_do_not_exceed_the_limit(backend: &TestBackend) {
    for round in 0..300 {
        let bucket = charge(LimitName::Token, &round.to_string(), Quota::new(7, 3_600));
        let allowed = count_concurrent(|| {
            let (rate_limits, bucket) = (Arc::clone(&backend.stores.rate_limits), bucket.clone());
            async move { rate_limits.charge(&[bucket]).await.unwrap() == LimitDecision::Allowed }
        });
        assert_eq!(allowed.await, 7);
    }
}
