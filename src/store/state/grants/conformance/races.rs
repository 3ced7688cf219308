//! Concurrent requests on one grant.

use std::{slice::from_ref, sync::Arc};

use super::{approved_grant, new_grant};
use crate::{
    domain::grant::{ClaimOutcome, DenyOutcome},
    store::state::tests::{
        backend::{TestBackend, count_concurrent, on_both_backends},
        samples::{grant_request, new_claim_id, new_codes},
    },
};

on_both_backends! {
    concurrent_polls_redeem_a_token_once,
    concurrent_approvals_get_one_claim,
    concurrent_claim_and_denial_do_not_both_succeed,
    concurrent_requests_with_one_user_code_create_one_grant,
}

const ROUNDS: usize = 300;

async fn concurrent_polls_redeem_a_token_once(backend: &TestBackend) {
    for _ in 0..ROUNDS {
        let (device, _, token_id) = approved_grant(backend).await;
        let redeemed = count_concurrent(|| {
            let (grants, device) = (Arc::clone(&backend.stores.grants), device.clone());
            async move {
                grants.poll(&device, "difyctl").await.unwrap();
                grants.redeem(&device, token_id).await.unwrap()
            }
        });
        assert_eq!(redeemed.await, 1);
    }
}

async fn concurrent_approvals_get_one_claim(backend: &TestBackend) {
    for _ in 0..ROUNDS {
        let (_, user) = new_grant(backend).await;
        let claimed = count_concurrent(|| {
            let (grants, user) = (Arc::clone(&backend.stores.grants), user.clone());
            async move {
                let outcome = grants.claim(from_ref(&user), new_claim_id()).await.unwrap();
                matches!(outcome, ClaimOutcome::Claimed(_))
            }
        });
        assert_eq!(claimed.await, 1);
    }
}

async fn concurrent_claim_and_denial_do_not_both_succeed(backend: &TestBackend) {
    for _ in 0..ROUNDS * 3 {
        let (_, user) = new_grant(backend).await;
        let (grants, key) = (Arc::clone(&backend.stores.grants), user.clone());
        let claim = tokio::spawn(async move { grants.claim(from_ref(&key), new_claim_id()).await.unwrap() });
        let grants = Arc::clone(&backend.stores.grants);
        let deny = tokio::spawn(async move { grants.deny(from_ref(&user)).await.unwrap() });
        match (claim.await.unwrap(), deny.await.unwrap()) {
            (ClaimOutcome::Claimed(_), DenyOutcome::InProgress) | (ClaimOutcome::Resolved, DenyOutcome::Denied(_)) => {}
            both => panic!("{both:?}"),
        }
    }
}

async fn concurrent_requests_with_one_user_code_create_one_grant(backend: &TestBackend) {
    for _ in 0..ROUNDS {
        let (_, user) = new_codes();
        let created = count_concurrent(|| {
            let (grants, user) = (Arc::clone(&backend.stores.grants), user.clone());
            async move { grants.create(&new_codes().0, &user, &grant_request()).await.unwrap() }
        });
        assert_eq!(created.await, 1);
    }
}
