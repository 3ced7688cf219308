//! Password attempts and lockouts, on both backends.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{
    domain::limit::{LimitDecision, Quota},
    ports::login_attempt_store::AttemptOutcome,
    store::state::tests::{
        backend::{TestBackend, count_concurrent, on_both_backends},
        samples::assert_limited,
    },
};

on_both_backends! {
    wrong_passwords_lock_account_and_address,
    correct_password_clears_the_account_but_not_the_address,
    unchecked_attempt_does_not_count,
    attempt_that_is_not_ended_expires,
    concurrent_attempts_do_not_exceed_the_limit,
}

const LOCKOUT: Duration = Duration::from_mins(10);
const LOGINS: Quota = Quota { count: 5, period: LOCKOUT };

/// Begins an attempt and, when it is allowed, ends it with this outcome.
async fn attempt(backend: &TestBackend, keys: &[String], outcome: AttemptOutcome) -> LimitDecision {
    let id = Uuid::new_v4();
    let verdict = backend.stores.login_attempts.begin(keys, id, LOGINS).await.unwrap();
    if verdict == LimitDecision::Allowed {
        backend.stores.login_attempts.end(keys, id, outcome, LOGINS).await.unwrap();
    }
    verdict
}

async fn wrong_attempt(backend: &TestBackend, keys: &[String]) -> LimitDecision {
    attempt(backend, keys, AttemptOutcome::Wrong).await
}

fn keys(account: &str, address: &str) -> [String; 2] {
    [format!("account:{account}"), format!("ip:{address}")]
}

async fn wrong_passwords_lock_account_and_address(backend: &TestBackend) {
    for _ in 0..5 {
        assert_eq!(wrong_attempt(backend, &keys("a", "1")).await, LimitDecision::Allowed);
        backend.advance_secs(10);
    }
    assert_limited(wrong_attempt(backend, &keys("a", "1")).await, 590);
    assert_limited(wrong_attempt(backend, &keys("a", "2")).await, 590);
    for _ in 0..5 {
        assert_eq!(
            wrong_attempt(backend, &keys("b", "2")).await,
            LimitDecision::Allowed,
            "the rejected attempt did not count for address 2"
        );
    }
    backend.advance_secs(550);
    assert_limited(wrong_attempt(backend, &keys("a", "1")).await, 40);
    backend.advance_secs(40);
    assert_eq!(
        wrong_attempt(backend, &keys("a", "1")).await,
        LimitDecision::Allowed,
        "the lockout starts with the last wrong password"
    );
}

async fn correct_password_clears_the_account_but_not_the_address(backend: &TestBackend) {
    for _ in 0..3 {
        assert_eq!(wrong_attempt(backend, &keys("a", "1")).await, LimitDecision::Allowed);
    }
    for _ in 0..10 {
        assert_eq!(attempt(backend, &keys("a", "1"), AttemptOutcome::Correct).await, LimitDecision::Allowed);
    }
    // Two of the five attempts of the address are left.
    for _ in 0..2 {
        assert_eq!(wrong_attempt(backend, &keys("b", "1")).await, LimitDecision::Allowed);
    }
    assert_limited(wrong_attempt(backend, &keys("b", "1")).await, 600);
    for _ in 0..5 {
        assert_eq!(wrong_attempt(backend, &keys("a", "2")).await, LimitDecision::Allowed);
    }
    assert_limited(wrong_attempt(backend, &keys("a", "3")).await, 600);
    backend
        .stores
        .login_attempts
        .end(&keys("never", "seen"), Uuid::new_v4(), AttemptOutcome::Correct, LOGINS)
        .await
        .unwrap();
}

async fn unchecked_attempt_does_not_count(backend: &TestBackend) {
    for _ in 0..4 {
        assert_eq!(wrong_attempt(backend, &keys("a", "1")).await, LimitDecision::Allowed);
    }
    for _ in 0..20 {
        assert_eq!(attempt(backend, &keys("a", "1"), AttemptOutcome::Unchecked).await, LimitDecision::Allowed);
    }
    assert_eq!(wrong_attempt(backend, &keys("a", "1")).await, LimitDecision::Allowed);
    assert_limited(wrong_attempt(backend, &keys("a", "2")).await, 600);
    assert_limited(wrong_attempt(backend, &keys("b", "1")).await, 600);
    backend
        .stores
        .login_attempts
        .end(&keys("never", "seen"), Uuid::new_v4(), AttemptOutcome::Unchecked, LOGINS)
        .await
        .unwrap();
}

async fn attempt_that_is_not_ended_expires(backend: &TestBackend) {
    assert_eq!(wrong_attempt(backend, &keys("a", "1")).await, LimitDecision::Allowed);
    for _ in 0..4 {
        let verdict = backend.stores.login_attempts.begin(&keys("a", "1"), Uuid::new_v4(), LOGINS).await.unwrap();
        assert_eq!(verdict, LimitDecision::Allowed);
        backend.advance_secs(2);
    }
    // Open attempts count like wrong ones, so that concurrent attempts cannot exceed the limit.
    assert_limited(wrong_attempt(backend, &keys("a", "2")).await, 22);
    assert_limited(wrong_attempt(backend, &keys("b", "1")).await, 22);
    backend.advance_secs(28);
    for _ in 0..4 {
        assert_eq!(
            wrong_attempt(backend, &keys("a", "1")).await,
            LimitDecision::Allowed,
            "only the attempt that was ended counts"
        );
    }
    assert_limited(wrong_attempt(backend, &keys("a", "1")).await, 600);
}

async fn concurrent_attempts_do_not_exceed_the_limit(backend: &TestBackend) {
    for round in 0..300 {
        let keys = keys(&round.to_string(), &round.to_string());
        let begun = count_concurrent(|| {
            let (login_attempts, keys) = (Arc::clone(&backend.stores.login_attempts), keys.clone());
            async move { login_attempts.begin(&keys, Uuid::new_v4(), LOGINS).await.unwrap() == LimitDecision::Allowed }
        });
        assert_eq!(begun.await, 5);
    }
}
