//! What must hold when many do the same at once.

use std::{slice::from_ref, sync::Arc, time::Duration};

use uuid::Uuid;

use super::{Stand, charge, claim_id, codes, request};
use crate::{
    domain::{
        grant::{ClaimOutcome, DenyOutcome},
        limit::{LimitDecision, LimitName, Quota},
    },
    ports::state::State,
};

const ROUNDS: usize = 300;
const AT_ONCE: usize = 64;

/// How many of `AT_ONCE` tasks say yes.
async fn count<F: Future<Output = bool> + Send + 'static>(stand: &Stand, task: impl Fn(Arc<dyn State>) -> F) -> usize {
    let tasks: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(task(Arc::clone(&stand.state)))).collect();
    let mut yes = 0;
    for task in tasks {
        yes += usize::from(task.await.unwrap());
    }
    yes
}

pub(super) async fn many_polls_redeem_a_token_once(stand: &Stand) {
    for _ in 0..ROUNDS {
        let (device, _, token_id) = stand.approved().await;
        let redeemed = count(stand, |state| {
            let device = device.clone();
            async move {
                state.poll_grant(&device, "difyctl").await.unwrap();
                state.redeem_grant(&device, token_id).await.unwrap()
            }
        });
        assert_eq!(redeemed.await, 1);
    }
}

pub(super) async fn many_runs_take_no_more_slots_than_there_are(stand: &Stand) {
    for round in 0..ROUNDS / 3 {
        let taken = count(stand, |state| async move {
            state.take_slot(&format!("app{round}"), Uuid::new_v4(), 5, Duration::from_secs(90)).await.unwrap()
        });
        assert_eq!(taken.await, 5);
    }
}

pub(super) async fn many_approvals_take_one_claim(stand: &Stand) {
    for _ in 0..ROUNDS {
        let (_, user) = stand.grant().await;
        let taken = count(stand, |state| {
            let user = user.clone();
            async move { matches!(state.claim_grant(from_ref(&user), claim_id()).await.unwrap(), ClaimOutcome::Taken(_)) }
        });
        assert_eq!(taken.await, 1);
    }
}

pub(super) async fn a_claim_and_a_denial_never_both_win(stand: &Stand) {
    for _ in 0..ROUNDS * 3 {
        let (_, user) = stand.grant().await;
        let (state, key) = (Arc::clone(&stand.state), user.clone());
        let claim = tokio::spawn(async move { state.claim_grant(from_ref(&key), claim_id()).await.unwrap() });
        let state = Arc::clone(&stand.state);
        let deny = tokio::spawn(async move { state.deny_grant(from_ref(&user)).await.unwrap() });
        match (claim.await.unwrap(), deny.await.unwrap()) {
            (ClaimOutcome::Taken(_), DenyOutcome::InProgress) | (ClaimOutcome::Resolved, DenyOutcome::Denied(_)) => {}
            both => panic!("{both:?}"),
        }
    }
}

pub(super) async fn many_logins_never_exceed_their_limit(stand: &Stand) {
    for round in 0..ROUNDS {
        let keys = [format!("account:{round}"), format!("ip:{round}")];
        let begun = count(stand, |state| {
            let keys = keys.clone();
            let quota = Quota { count: 5, period: Duration::from_mins(10) };
            async move { state.begin_login(&keys, Uuid::new_v4(), quota).await.unwrap() == LimitDecision::Allowed }
        });
        assert_eq!(begun.await, 5);
    }
}

pub(super) async fn many_charges_never_exceed_their_limit(stand: &Stand) {
    for round in 0..ROUNDS {
        let bucket = charge(LimitName::Token, &round.to_string(), Quota::new(7, 3_600));
        let allowed = count(stand, |state| {
            let bucket = bucket.clone();
            async move { state.charge(&[bucket]).await.unwrap() == LimitDecision::Allowed }
        });
        assert_eq!(allowed.await, 7);
    }
}

pub(super) async fn many_creations_of_one_user_code_make_one_grant(stand: &Stand) {
    for _ in 0..ROUNDS {
        let user = codes().1;
        let created = count(stand, |state| {
            let user = user.clone();
            async move { state.create_grant(&codes().0, &user, &request()).await.unwrap() }
        });
        assert_eq!(created.await, 1);
    }
}
