//! Password attempts and their limits, on both backends.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{
    domain::{
        limit::{LimitDecision, Quota},
        login_limit::{LoginLimit, LoginRule},
    },
    ports::login_attempt_store::AttemptOutcome,
    store::state::tests::{
        backend::{TestBackend, count_concurrent, on_both_backends},
        samples::assert_limited,
    },
};

on_both_backends! {
    consecutive_failures_delay_the_next_attempt_longer_each_time,
    delays_are_shortened_to_the_longest_one,
    success_forgets_consecutive_failures_only,
    consecutive_failures_are_forgotten_after_a_day,
    failures_in_a_period_are_limited_and_come_back_one_by_one,
    rejected_attempt_counts_at_no_limit,
    unchecked_attempt_does_not_count,
    attempt_that_is_not_ended_expires,
    concurrent_attempts_do_not_exceed_a_limit,
    attempt_after_a_delay_is_open_once,
    forgotten_keys_have_no_attempts,
}

const FAILURES: Quota = Quota { count: 8, period: Duration::from_mins(8) };

fn delays(key: &str) -> LoginLimit {
    LoginLimit { key: format!("pair:{key}"), rule: LoginRule::Delays { free: 5, max_delay: Duration::from_hours(24) } }
}

fn failures(key: &str) -> LoginLimit {
    LoginLimit { key: format!("address:{key}"), rule: LoginRule::Failures(FAILURES) }
}

/// Begins an attempt and, when it is allowed, ends it with this outcome.
async fn attempt(backend: &TestBackend, limits: &[LoginLimit], outcome: AttemptOutcome) -> LimitDecision {
    let id = Uuid::new_v4();
    let verdict = backend.stores.login_attempts.begin(id, limits).await.unwrap();
    if verdict == LimitDecision::Allowed {
        backend.stores.login_attempts.end(id, outcome, limits).await.unwrap();
    }
    verdict
}

async fn fail(backend: &TestBackend, limits: &[LoginLimit]) -> LimitDecision {
    attempt(backend, limits, AttemptOutcome::Wrong).await
}

async fn fail_times(backend: &TestBackend, limits: &[LoginLimit], times: usize) {
    for _ in 0..times {
        assert_eq!(fail(backend, limits).await, LimitDecision::Allowed);
    }
}

async fn consecutive_failures_delay_the_next_attempt_longer_each_time(backend: &TestBackend) {
    let limits = [delays("a")];
    fail_times(backend, &limits, 5).await;
    for seconds in [60, 300, 900, 3_600, 3_600, 3_600] {
        assert_limited(fail(backend, &limits).await, seconds);
        backend.advance_secs(seconds - 1);
        assert_limited(attempt(backend, &limits, AttemptOutcome::Correct).await, 1);
        backend.advance_secs(1);
        assert_eq!(fail(backend, &limits).await, LimitDecision::Allowed, "after {seconds} s");
    }
    assert_eq!(fail(backend, &[delays("b")]).await, LimitDecision::Allowed, "other keys are not affected");
}

async fn delays_are_shortened_to_the_longest_one(backend: &TestBackend) {
    let rule = LoginRule::Delays { free: 1, max_delay: Duration::from_mins(2) };
    let limits = [LoginLimit { key: "short".to_owned(), rule }];
    for seconds in [60, 120, 120] {
        assert_eq!(fail(backend, &limits).await, LimitDecision::Allowed);
        assert_limited(fail(backend, &limits).await, seconds);
        backend.advance_secs(seconds);
    }
}

async fn success_forgets_consecutive_failures_only(backend: &TestBackend) {
    let limits = [delays("a"), failures("1")];
    fail_times(backend, &limits, 4).await;
    for _ in 0..10 {
        assert_eq!(attempt(backend, &limits, AttemptOutcome::Correct).await, LimitDecision::Allowed);
    }
    // Four of the eight failures of the address are left, and all five free ones of the pair.
    fail_times(backend, &limits, 4).await;
    assert_limited(fail(backend, &limits).await, 60);
    fail_times(backend, &[delays("a"), failures("2")], 1).await;
    assert_limited(fail(backend, &[delays("a"), failures("3")]).await, 60);
    let unknown = [delays("never"), failures("seen")];
    backend.stores.login_attempts.end(Uuid::new_v4(), AttemptOutcome::Correct, &unknown).await.unwrap();
}

async fn consecutive_failures_are_forgotten_after_a_day(backend: &TestBackend) {
    let limits = [delays("a")];
    fail_times(backend, &limits, 4).await;
    backend.advance_secs(86_399);
    fail_times(backend, &limits, 1).await;
    assert_limited(fail(backend, &limits).await, 60);
    backend.advance_secs(86_401);
    fail_times(backend, &limits, 5).await;
    assert_limited(fail(backend, &limits).await, 60);
}

async fn failures_in_a_period_are_limited_and_come_back_one_by_one(backend: &TestBackend) {
    let limits = [failures("1")];
    fail_times(backend, &limits, 8).await;
    assert_limited(fail(backend, &limits).await, 60);
    backend.advance_secs(60);
    fail_times(backend, &limits, 1).await;
    assert_limited(fail(backend, &limits).await, 60);
    backend.advance_secs(480);
    fail_times(backend, &limits, 8).await;
}

async fn rejected_attempt_counts_at_no_limit(backend: &TestBackend) {
    fail_times(backend, &[delays("a")], 5).await;
    for _ in 0..20 {
        assert_limited(fail(backend, &[failures("1"), delays("a")]).await, 60);
    }
    fail_times(backend, &[failures("1")], 8).await;
    backend.advance_secs(61);
    assert_eq!(fail(backend, &[delays("a")]).await, LimitDecision::Allowed, "the rejections were no failures");
    assert_limited(fail(backend, &[delays("a")]).await, 300);
}

async fn unchecked_attempt_does_not_count(backend: &TestBackend) {
    let limits = [delays("a"), failures("1")];
    fail_times(backend, &limits, 4).await;
    for _ in 0..20 {
        assert_eq!(attempt(backend, &limits, AttemptOutcome::Unchecked).await, LimitDecision::Allowed);
    }
    fail_times(backend, &limits, 1).await;
    assert_limited(fail(backend, &limits).await, 60);
    let unknown = [delays("never"), failures("seen")];
    backend.stores.login_attempts.end(Uuid::new_v4(), AttemptOutcome::Unchecked, &unknown).await.unwrap();
}

async fn attempt_that_is_not_ended_expires(backend: &TestBackend) {
    let limits = [delays("a"), failures("1")];
    fail_times(backend, &limits, 1).await;
    for _ in 0..4 {
        let verdict = backend.stores.login_attempts.begin(Uuid::new_v4(), &limits).await.unwrap();
        assert_eq!(verdict, LimitDecision::Allowed);
        backend.advance_secs(2);
    }
    // Open attempts count like failed ones, so that concurrent attempts cannot exceed a limit.
    assert_limited(fail(backend, &limits).await, 22);
    backend.advance_secs(28);
    fail_times(backend, &limits, 4).await;
    assert_limited(fail(backend, &limits).await, 60);
}

async fn concurrent_attempts_do_not_exceed_a_limit(backend: &TestBackend) {
    for round in 0..100 {
        let key = round.to_string();
        for (limits, expected) in [(vec![delays(&key)], 5), (vec![failures(&key)], 8)] {
            let begun = count_concurrent(|| {
                let (login_attempts, limits) = (Arc::clone(&backend.stores.login_attempts), limits.clone());
                async move { login_attempts.begin(Uuid::new_v4(), &limits).await.unwrap() == LimitDecision::Allowed }
            });
            assert_eq!(begun.await, expected);
        }
    }
}

async fn attempt_after_a_delay_is_open_once(backend: &TestBackend) {
    let limits = [delays("a")];
    fail_times(backend, &limits, 5).await;
    backend.advance_secs(61);
    let begun = count_concurrent(|| {
        let (login_attempts, limits) = (Arc::clone(&backend.stores.login_attempts), limits.clone());
        async move { login_attempts.begin(Uuid::new_v4(), &limits).await.unwrap() == LimitDecision::Allowed }
    });
    assert_eq!(begun.await, 1);
}

async fn forgotten_keys_have_no_attempts(backend: &TestBackend) {
    let (ada, bob) = ([delays("ada")], [delays("bob")]);
    for limits in [&ada, &bob] {
        fail_times(backend, limits, 5).await;
        assert_limited(fail(backend, limits).await, 60);
    }
    backend.stores.login_attempts.forget(&[ada[0].key.clone(), "pair:unknown".to_owned()]).await.unwrap();
    fail_times(backend, &ada, 5).await;
    assert_limited(fail(backend, &bob).await, 60);
}
