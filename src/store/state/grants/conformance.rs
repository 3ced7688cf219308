//! The transitions of a grant, on both backends.

mod history;
mod model;
mod races;

use std::{slice::from_ref, time::Duration};

use crate::{
    domain::{
        grant::{ClaimOutcome, DenyOutcome, GrantRequest, PollOutcome},
        id::{AccountId, TokenId},
        recorded_decision::{Decision, DecisionOutcome},
        secret::{DeviceCodeHash, UserCodeKey},
    },
    store::state::tests::{
        backend::{TestBackend, on_both_backends},
        samples::{grant_request, new_approval, new_claim_id, new_codes},
    },
};

on_both_backends! {
    grant_is_found_by_any_key_of_its_user_code,
    user_code_in_use_is_rejected_until_its_grant_expires,
    poll_of_another_client_is_not_counted,
    early_poll_increases_the_interval_up_to_a_minute,
    fixed_cadence_recovers_after_an_early_poll,
    poll_one_second_early_is_accepted,
    claim_excludes_others_until_it_expires,
    lost_claim_cannot_finish,
    released_grant_can_be_claimed_again,
    decided_grant_lives_for_at_least_a_minute,
    approved_grant_is_redeemed_once,
    denied_grant_remains_denied,
    expired_grant_is_unknown,
    unknown_code_is_reported_as_unknown,
    decision_is_found_by_the_account_that_made_it,
}

async fn new_grant(backend: &TestBackend) -> (DeviceCodeHash, UserCodeKey) {
    let (device, user) = new_codes();
    assert!(backend.stores.grants.create(&device, &user, &grant_request()).await.unwrap());
    (device, user)
}

async fn approved_grant(backend: &TestBackend) -> (DeviceCodeHash, UserCodeKey, TokenId) {
    let (device, user) = new_grant(backend).await;
    let (claim, approval) = (new_claim_id(), new_approval());
    backend.stores.grants.claim(from_ref(&user), claim).await.unwrap();
    assert!(backend.stores.grants.finish(from_ref(&user), claim, &approval).await.unwrap());
    (device, user, approval.token_id)
}

async fn poll(backend: &TestBackend, device: &DeviceCodeHash) -> PollOutcome {
    backend.stores.grants.poll(device, "difyctl").await.unwrap()
}

async fn expires_in(backend: &TestBackend, user: &UserCodeKey) -> Option<u32> {
    backend.stores.grants.find_pending(from_ref(user)).await.unwrap().map(|grant| grant.expires_in)
}

fn pending() -> PollOutcome {
    PollOutcome::Pending { created_ip: grant_request().created_ip }
}

async fn grant_is_found_by_any_key_of_its_user_code(backend: &TestBackend) {
    let (device, user) = new_codes();
    let request = GrantRequest { user_agent: Some("difyctl/1.0 (\u{fc})".to_owned()), ..grant_request() };
    assert!(backend.stores.grants.create(&device, &user, &request).await.unwrap());
    let keys = [new_codes().1, user.clone(), new_codes().1];
    let found = backend.stores.grants.find_pending(&keys).await.unwrap().unwrap();
    assert_eq!(found.request, request);
    assert!((899..=900).contains(&found.expires_in), "{}", found.expires_in);
    assert!(found.created_at_ms > 1_600_000_000_000);
    assert_eq!(backend.stores.grants.find_pending(&[new_codes().1]).await.unwrap(), None);
    let claim = new_claim_id();
    assert_eq!(backend.stores.grants.claim(&keys, claim).await.unwrap(), ClaimOutcome::Claimed(request));
    assert_eq!(backend.stores.grants.deny(&keys).await.unwrap(), DenyOutcome::InProgress);
    assert!(backend.stores.grants.finish(&keys, claim, &new_approval()).await.unwrap());
    assert_eq!(
        backend.stores.grants.find_pending(&keys).await.unwrap(),
        None,
        "a claimed and approved grant is not pending"
    );
}

async fn user_code_in_use_is_rejected_until_its_grant_expires(backend: &TestBackend) {
    let (_, user) = new_grant(backend).await;
    let other = new_codes().0;
    assert!(!backend.stores.grants.create(&other, &user, &grant_request()).await.unwrap());
    assert_eq!(poll(backend, &other).await, PollOutcome::Unknown, "nothing was stored");
    backend.advance_secs(901);
    assert!(backend.stores.grants.create(&other, &user, &grant_request()).await.unwrap());
    assert_eq!(poll(backend, &other).await, pending());
}

async fn poll_of_another_client_is_not_counted(backend: &TestBackend) {
    let (device, _) = new_grant(backend).await;
    assert_eq!(poll(backend, &device).await, pending());
    backend.advance_secs(5);
    assert_eq!(backend.stores.grants.poll(&device, "other").await.unwrap(), PollOutcome::ClientMismatch);
    assert_eq!(poll(backend, &device).await, pending());
}

async fn early_poll_increases_the_interval_up_to_a_minute(backend: &TestBackend) {
    let (device, _) = new_grant(backend).await;
    assert_eq!(poll(backend, &device).await, pending());
    for expected in (10..=60).step_by(5).chain([60, 60]) {
        assert_eq!(poll(backend, &device).await, PollOutcome::SlowDown(expected));
    }
    backend.advance_secs(5);
    assert_eq!(poll(backend, &device).await, pending());
    assert_eq!(poll(backend, &device).await, PollOutcome::SlowDown(10), "a poll in time resets the interval");
}

async fn fixed_cadence_recovers_after_an_early_poll(backend: &TestBackend) {
    let (device, _) = new_grant(backend).await;
    assert_eq!(poll(backend, &device).await, pending());
    backend.advance_secs(1);
    assert_eq!(poll(backend, &device).await, PollOutcome::SlowDown(10));
    for _ in 0..5 {
        backend.advance_secs(5);
        assert_eq!(poll(backend, &device).await, pending());
    }
    backend.advance_secs(2);
    assert_eq!(poll(backend, &device).await, PollOutcome::SlowDown(10));
    backend.advance_secs(2);
    assert_eq!(poll(backend, &device).await, pending(), "the early poll does not move the reference time");
}

async fn poll_one_second_early_is_accepted(backend: &TestBackend) {
    let (device, _) = new_grant(backend).await;
    assert_eq!(poll(backend, &device).await, pending());
    backend.advance(Duration::from_secs(4));
    assert_eq!(poll(backend, &device).await, pending());
    backend.advance(Duration::from_millis(3_500));
    assert_eq!(poll(backend, &device).await, PollOutcome::SlowDown(10));
}

async fn claim_excludes_others_until_it_expires(backend: &TestBackend) {
    let (device, user) = new_grant(backend).await;
    let (first, second) = (new_claim_id(), new_claim_id());
    let keys = from_ref(&user);
    assert_eq!(backend.stores.grants.claim(keys, first).await.unwrap(), ClaimOutcome::Claimed(grant_request()));
    assert_eq!(backend.stores.grants.claim(keys, second).await.unwrap(), ClaimOutcome::InProgress);
    assert_eq!(backend.stores.grants.deny(keys).await.unwrap(), DenyOutcome::InProgress);
    assert_eq!(poll(backend, &device).await, pending());
    backend.advance_secs(9);
    assert_eq!(backend.stores.grants.claim(keys, second).await.unwrap(), ClaimOutcome::InProgress);
    backend.advance_secs(1);
    assert_eq!(backend.stores.grants.claim(keys, second).await.unwrap(), ClaimOutcome::Claimed(grant_request()));
}

async fn lost_claim_cannot_finish(backend: &TestBackend) {
    let (device, user) = new_grant(backend).await;
    let (first, second, keys) = (new_claim_id(), new_claim_id(), from_ref(&user));
    assert!(!backend.stores.grants.finish(keys, first, &new_approval()).await.unwrap(), "never claimed");
    backend.stores.grants.claim(keys, first).await.unwrap();
    backend.advance_secs(10);
    assert!(!backend.stores.grants.finish(keys, first, &new_approval()).await.unwrap(), "the claim has expired");
    backend.stores.grants.claim(keys, second).await.unwrap();
    assert!(
        !backend.stores.grants.finish(keys, first, &new_approval()).await.unwrap(),
        "another approval has the claim"
    );
    backend.stores.grants.release(keys, first).await.unwrap();
    let approved = new_approval();
    assert!(
        backend.stores.grants.finish(keys, second, &approved).await.unwrap(),
        "releasing a lost claim changes nothing"
    );
    assert!(!backend.stores.grants.finish(keys, second, &new_approval()).await.unwrap(), "a grant is finished once");
    let created_ip = grant_request().created_ip;
    assert_eq!(poll(backend, &device).await, PollOutcome::Approved { created_ip, approval: approved });
}

async fn released_grant_can_be_claimed_again(backend: &TestBackend) {
    let (_, user) = new_grant(backend).await;
    let (claim, keys) = (new_claim_id(), from_ref(&user));
    backend.stores.grants.claim(keys, claim).await.unwrap();
    backend.stores.grants.release(keys, claim).await.unwrap();
    assert!(!backend.stores.grants.finish(keys, claim, &new_approval()).await.unwrap());
    assert_eq!(
        backend.stores.grants.claim(keys, new_claim_id()).await.unwrap(),
        ClaimOutcome::Claimed(grant_request())
    );
}

async fn decided_grant_lives_for_at_least_a_minute(backend: &TestBackend) {
    let (device, user) = new_grant(backend).await;
    let (claim, keys) = (new_claim_id(), from_ref(&user));
    backend.advance_secs(895);
    assert!((4..=5).contains(&expires_in(backend, &user).await.unwrap()));
    backend.stores.grants.claim(keys, claim).await.unwrap();
    assert!((59..=60).contains(&expires_in(backend, &user).await.unwrap()));
    backend.advance_secs(8);
    let approved = new_approval();
    assert!(backend.stores.grants.finish(keys, claim, &approved).await.unwrap(), "the index entry was extended, too");
    backend.advance_secs(58);
    assert!(matches!(poll(backend, &device).await, PollOutcome::Approved { .. }));
    backend.advance_secs(3);
    assert_eq!(poll(backend, &device).await, PollOutcome::Unknown);
    assert!(!backend.stores.grants.redeem(&device, approved.token_id).await.unwrap());

    let (device, user) = new_grant(backend).await;
    backend.advance_secs(899);
    assert_eq!(backend.stores.grants.deny(from_ref(&user)).await.unwrap(), DenyOutcome::Denied(grant_request()));
    backend.advance_secs(58);
    assert_eq!(poll(backend, &device).await, PollOutcome::Denied);
}

async fn approved_grant_is_redeemed_once(backend: &TestBackend) {
    let (device, user, token_id) = approved_grant(backend).await;
    let keys = from_ref(&user);
    assert_eq!(backend.stores.grants.claim(keys, new_claim_id()).await.unwrap(), ClaimOutcome::Resolved);
    assert_eq!(backend.stores.grants.deny(keys).await.unwrap(), DenyOutcome::Resolved);
    assert!(!backend.stores.grants.redeem(&device, new_approval().token_id).await.unwrap(), "another session's token");
    assert!(backend.stores.grants.redeem(&device, token_id).await.unwrap());
    assert!(!backend.stores.grants.redeem(&device, token_id).await.unwrap());
    assert_eq!(poll(backend, &device).await, PollOutcome::Unknown);
    assert_eq!(backend.stores.grants.claim(keys, new_claim_id()).await.unwrap(), ClaimOutcome::Unknown);
    assert_eq!(backend.stores.grants.deny(keys).await.unwrap(), DenyOutcome::Unknown);
}

async fn denied_grant_remains_denied(backend: &TestBackend) {
    let (device, user) = new_grant(backend).await;
    let keys = from_ref(&user);
    assert_eq!(backend.stores.grants.deny(keys).await.unwrap(), DenyOutcome::Denied(grant_request()));
    assert_eq!(backend.stores.grants.deny(keys).await.unwrap(), DenyOutcome::Resolved);
    assert_eq!(backend.stores.grants.claim(keys, new_claim_id()).await.unwrap(), ClaimOutcome::Resolved);
    assert_eq!(poll(backend, &device).await, PollOutcome::Denied);
    assert_eq!(poll(backend, &device).await, PollOutcome::SlowDown(10), "a denied grant keeps its interval");
    assert!(!backend.stores.grants.redeem(&device, new_approval().token_id).await.unwrap());
}

async fn expired_grant_is_unknown(backend: &TestBackend) {
    let (device, user) = new_grant(backend).await;
    let keys = from_ref(&user);
    backend.advance_secs(899);
    assert_eq!(poll(backend, &device).await, pending());
    backend.advance_secs(1);
    assert_eq!(poll(backend, &device).await, PollOutcome::Unknown);
    assert_eq!(backend.stores.grants.poll(&device, "other").await.unwrap(), PollOutcome::Unknown);
    assert_eq!(expires_in(backend, &user).await, None);
    assert_eq!(backend.stores.grants.claim(keys, new_claim_id()).await.unwrap(), ClaimOutcome::Unknown);
    assert_eq!(backend.stores.grants.deny(keys).await.unwrap(), DenyOutcome::Unknown);
}

async fn unknown_code_is_reported_as_unknown(backend: &TestBackend) {
    let (device, user) = new_codes();
    let keys = from_ref(&user);
    assert_eq!(poll(backend, &device).await, PollOutcome::Unknown);
    assert_eq!(backend.stores.grants.claim(keys, new_claim_id()).await.unwrap(), ClaimOutcome::Unknown);
    assert_eq!(backend.stores.grants.claim(&[], new_claim_id()).await.unwrap(), ClaimOutcome::Unknown);
    assert_eq!(backend.stores.grants.deny(keys).await.unwrap(), DenyOutcome::Unknown);
    assert!(!backend.stores.grants.finish(keys, new_claim_id(), &new_approval()).await.unwrap());
    backend.stores.grants.release(keys, new_claim_id()).await.unwrap();
    assert!(!backend.stores.grants.redeem(&device, new_approval().token_id).await.unwrap());
}

async fn decision_is_found_by_the_account_that_made_it(backend: &TestBackend) {
    let (ada, bob) = (AccountId(uuid::Uuid::new_v4()), AccountId(uuid::Uuid::new_v4()));
    let (_, user, token_id) = approved_grant(backend).await;
    let request = grant_request();
    let decision = |outcome| Decision {
        client_id: request.client_id.clone(),
        device_label: request.device_label.clone(),
        outcome,
    };
    let grants = &backend.stores.grants;
    assert_eq!(grants.find_decision(from_ref(&user), ada).await.unwrap(), None);
    for outcome in [DecisionOutcome::Denied, DecisionOutcome::Approved(token_id)] {
        grants.record_decision(&user, ada, &decision(outcome)).await.unwrap();
        let keys = [new_codes().1, user.clone()];
        assert_eq!(grants.find_decision(&keys, ada).await.unwrap(), Some(decision(outcome)));
    }
    assert_eq!(grants.find_decision(from_ref(&user), bob).await.unwrap(), None, "another account");
    assert_eq!(grants.find_decision(&[new_codes().1], ada).await.unwrap(), None, "another code");
}
