//! Every transition of a grant, in its order.

use std::{slice::from_ref, time::Duration};

use super::{Stand, approval, claim_id, codes, request};
use crate::domain::{
    grant::{ClaimOutcome, DenyOutcome, GrantRequest, PollOutcome},
    secret::{DeviceCodeHash, UserCodeKey},
};

async fn poll(stand: &Stand, device: &DeviceCodeHash) -> PollOutcome {
    stand.state.poll_grant(device, "difyctl").await.unwrap()
}

async fn expires_in(stand: &Stand, user: &UserCodeKey) -> Option<u32> {
    stand.state.find_pending_grant(from_ref(user)).await.unwrap().map(|grant| grant.expires_in)
}

fn pending() -> PollOutcome {
    PollOutcome::Pending { created_ip: request().created_ip }
}

pub(super) async fn a_grant_is_found_by_any_of_its_users_codes(stand: &Stand) {
    let (device, user) = codes();
    let asked = GrantRequest { user_agent: Some("difyctl/1.0 (\u{fc})".to_owned()), ..request() };
    assert!(stand.state.create_grant(&device, &user, &asked).await.unwrap());
    let keys = [codes().1, user.clone(), codes().1];
    let found = stand.state.find_pending_grant(&keys).await.unwrap().unwrap();
    assert_eq!(found.request, asked);
    assert!((899..=900).contains(&found.expires_in), "{}", found.expires_in);
    assert!(found.created_at_ms > 1_600_000_000_000);
    assert_eq!(stand.state.find_pending_grant(&[codes().1]).await.unwrap(), None);
    let claim = claim_id();
    assert_eq!(stand.state.claim_grant(&keys, claim).await.unwrap(), ClaimOutcome::Taken(asked));
    assert_eq!(stand.state.deny_grant(&keys).await.unwrap(), DenyOutcome::InProgress);
    assert!(stand.state.finish_grant(&keys, claim, &approval()).await.unwrap());
    assert_eq!(stand.state.find_pending_grant(&keys).await.unwrap(), None, "decided is not pending");
}

pub(super) async fn a_taken_user_code_is_refused_until_its_grant_is_over(stand: &Stand) {
    let (_, user) = stand.grant().await;
    let other = codes().0;
    assert!(!stand.state.create_grant(&other, &user, &request()).await.unwrap());
    assert_eq!(poll(stand, &other).await, PollOutcome::Unknown, "nothing was stored");
    stand.advance_secs(901);
    assert!(stand.state.create_grant(&other, &user, &request()).await.unwrap());
    assert_eq!(poll(stand, &other).await, pending());
}

pub(super) async fn another_clients_poll_is_not_counted(stand: &Stand) {
    let (device, _) = stand.grant().await;
    assert_eq!(poll(stand, &device).await, pending());
    stand.advance_secs(5);
    assert_eq!(stand.state.poll_grant(&device, "other").await.unwrap(), PollOutcome::ClientMismatch);
    assert_eq!(poll(stand, &device).await, pending());
}

pub(super) async fn an_early_poll_lengthens_the_interval_up_to_a_minute(stand: &Stand) {
    let (device, _) = stand.grant().await;
    assert_eq!(poll(stand, &device).await, pending());
    for expected in (10..=60).step_by(5).chain([60, 60]) {
        assert_eq!(poll(stand, &device).await, PollOutcome::SlowDown(expected));
    }
    stand.advance_secs(58);
    assert_eq!(poll(stand, &device).await, PollOutcome::SlowDown(60), "an early poll counts as the last one");
    stand.advance_secs(60);
    assert_eq!(poll(stand, &device).await, pending());
}

pub(super) async fn a_poll_may_come_a_second_early(stand: &Stand) {
    let (device, _) = stand.grant().await;
    assert_eq!(poll(stand, &device).await, pending());
    stand.advance(Duration::from_secs(4));
    assert_eq!(poll(stand, &device).await, pending());
    stand.advance(Duration::from_millis(3_500));
    assert_eq!(poll(stand, &device).await, PollOutcome::SlowDown(10));
}

pub(super) async fn a_claim_keeps_others_out_until_it_ends(stand: &Stand) {
    let (device, user) = stand.grant().await;
    let (first, second) = (claim_id(), claim_id());
    let keys = from_ref(&user);
    assert_eq!(stand.state.claim_grant(keys, first).await.unwrap(), ClaimOutcome::Taken(request()));
    assert_eq!(stand.state.claim_grant(keys, second).await.unwrap(), ClaimOutcome::InProgress);
    assert_eq!(stand.state.deny_grant(keys).await.unwrap(), DenyOutcome::InProgress);
    assert_eq!(poll(stand, &device).await, pending());
    stand.advance_secs(9);
    assert_eq!(stand.state.claim_grant(keys, second).await.unwrap(), ClaimOutcome::InProgress);
    stand.advance_secs(1);
    assert_eq!(stand.state.claim_grant(keys, second).await.unwrap(), ClaimOutcome::Taken(request()));
}

pub(super) async fn a_lost_claim_finishes_nothing(stand: &Stand) {
    let (device, user) = stand.grant().await;
    let (first, second, keys) = (claim_id(), claim_id(), from_ref(&user));
    assert!(!stand.state.finish_grant(keys, first, &approval()).await.unwrap(), "never claimed");
    stand.state.claim_grant(keys, first).await.unwrap();
    stand.advance_secs(10);
    assert!(!stand.state.finish_grant(keys, first, &approval()).await.unwrap(), "the claim has ended");
    stand.state.claim_grant(keys, second).await.unwrap();
    assert!(!stand.state.finish_grant(keys, first, &approval()).await.unwrap(), "another has it");
    stand.state.release_grant(keys, first).await.unwrap();
    let approved = approval();
    assert!(stand.state.finish_grant(keys, second, &approved).await.unwrap(), "a stranger's release changes nothing");
    assert!(!stand.state.finish_grant(keys, second, &approval()).await.unwrap(), "once");
    let created_ip = request().created_ip;
    assert_eq!(poll(stand, &device).await, PollOutcome::Approved { created_ip, approval: approved });
}

pub(super) async fn a_released_claim_may_be_taken_again(stand: &Stand) {
    let (_, user) = stand.grant().await;
    let (claim, keys) = (claim_id(), from_ref(&user));
    stand.state.claim_grant(keys, claim).await.unwrap();
    stand.state.release_grant(keys, claim).await.unwrap();
    assert!(!stand.state.finish_grant(keys, claim, &approval()).await.unwrap());
    assert_eq!(stand.state.claim_grant(keys, claim_id()).await.unwrap(), ClaimOutcome::Taken(request()));
}

pub(super) async fn a_decision_lets_the_grant_live_a_minute(stand: &Stand) {
    let (device, user) = stand.grant().await;
    let (claim, keys) = (claim_id(), from_ref(&user));
    stand.advance_secs(895);
    assert!((4..=5).contains(&expires_in(stand, &user).await.unwrap()));
    stand.state.claim_grant(keys, claim).await.unwrap();
    assert!((59..=60).contains(&expires_in(stand, &user).await.unwrap()));
    stand.advance_secs(8);
    let approved = approval();
    assert!(stand.state.finish_grant(keys, claim, &approved).await.unwrap(), "the index lives on as well");
    stand.advance_secs(58);
    assert!(matches!(poll(stand, &device).await, PollOutcome::Approved { .. }));
    stand.advance_secs(3);
    assert_eq!(poll(stand, &device).await, PollOutcome::Unknown);
    assert!(!stand.state.redeem_grant(&device, approved.token_id).await.unwrap());

    let (device, user) = stand.grant().await;
    stand.advance_secs(899);
    assert_eq!(stand.state.deny_grant(from_ref(&user)).await.unwrap(), DenyOutcome::Denied(request()));
    stand.advance_secs(58);
    assert_eq!(poll(stand, &device).await, PollOutcome::Denied);
}

pub(super) async fn an_approved_grant_is_redeemed_once(stand: &Stand) {
    let (device, user, token_id) = stand.approved().await;
    let keys = from_ref(&user);
    assert_eq!(stand.state.claim_grant(keys, claim_id()).await.unwrap(), ClaimOutcome::Resolved);
    assert_eq!(stand.state.deny_grant(keys).await.unwrap(), DenyOutcome::Resolved);
    assert!(!stand.state.redeem_grant(&device, approval().token_id).await.unwrap(), "another session's token");
    assert!(stand.state.redeem_grant(&device, token_id).await.unwrap());
    assert!(!stand.state.redeem_grant(&device, token_id).await.unwrap());
    assert_eq!(poll(stand, &device).await, PollOutcome::Unknown);
    assert_eq!(stand.state.claim_grant(keys, claim_id()).await.unwrap(), ClaimOutcome::Unknown);
    assert_eq!(stand.state.deny_grant(keys).await.unwrap(), DenyOutcome::Unknown);
}

pub(super) async fn a_denied_grant_stays_denied(stand: &Stand) {
    let (device, user) = stand.grant().await;
    let keys = from_ref(&user);
    assert_eq!(stand.state.deny_grant(keys).await.unwrap(), DenyOutcome::Denied(request()));
    assert_eq!(stand.state.deny_grant(keys).await.unwrap(), DenyOutcome::Resolved);
    assert_eq!(stand.state.claim_grant(keys, claim_id()).await.unwrap(), ClaimOutcome::Resolved);
    assert_eq!(poll(stand, &device).await, PollOutcome::Denied);
    assert_eq!(poll(stand, &device).await, PollOutcome::SlowDown(10), "a denied grant keeps its interval");
    assert!(!stand.state.redeem_grant(&device, approval().token_id).await.unwrap());
}

pub(super) async fn a_grant_is_over_at_its_expiry(stand: &Stand) {
    let (device, user) = stand.grant().await;
    let keys = from_ref(&user);
    stand.advance_secs(899);
    assert_eq!(poll(stand, &device).await, pending());
    stand.advance_secs(1);
    assert_eq!(poll(stand, &device).await, PollOutcome::Unknown);
    assert_eq!(stand.state.poll_grant(&device, "other").await.unwrap(), PollOutcome::Unknown);
    assert_eq!(expires_in(stand, &user).await, None);
    assert_eq!(stand.state.claim_grant(keys, claim_id()).await.unwrap(), ClaimOutcome::Unknown);
    assert_eq!(stand.state.deny_grant(keys).await.unwrap(), DenyOutcome::Unknown);
}

pub(super) async fn unknown_codes_are_unknown(stand: &Stand) {
    let (device, user) = codes();
    let keys = from_ref(&user);
    assert_eq!(poll(stand, &device).await, PollOutcome::Unknown);
    assert_eq!(stand.state.claim_grant(keys, claim_id()).await.unwrap(), ClaimOutcome::Unknown);
    assert_eq!(stand.state.claim_grant(&[], claim_id()).await.unwrap(), ClaimOutcome::Unknown);
    assert_eq!(stand.state.deny_grant(keys).await.unwrap(), DenyOutcome::Unknown);
    assert!(!stand.state.finish_grant(keys, claim_id(), &approval()).await.unwrap());
    stand.state.release_grant(keys, claim_id()).await.unwrap();
    assert!(!stand.state.redeem_grant(&device, approval().token_id).await.unwrap());
}
