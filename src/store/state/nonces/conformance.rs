//! Nonces, on both backends.

use std::sync::Arc;

use crate::{
    ports::nonce_store::NonceKind,
    store::state::tests::backend::{TestBackend, count_concurrent, direct_connection, on_both_backends},
};

on_both_backends! {
    nonce_is_consumed_once_per_kind,
    exactly_one_of_many_concurrent_requests_consumes_a_nonce,
}

const KINDS: [NonceKind; 4] =
    [NonceKind::SsoAssertion, NonceKind::ApprovalGrant, NonceKind::SsoState, NonceKind::ConnectionState];

async fn nonce_is_consumed_once_per_kind(backend: &TestBackend) {
    let nonces = &backend.stores.nonces;
    for kind in KINDS {
        assert!(nonces.consume(kind, "n1").await.unwrap(), "{kind:?}");
        assert!(!nonces.consume(kind, "n1").await.unwrap(), "{kind:?}");
        assert!(nonces.consume(kind, "n2").await.unwrap(), "{kind:?}");
    }
}

async fn exactly_one_of_many_concurrent_requests_consumes_a_nonce(backend: &TestBackend) {
    for round in 0..50 {
        let consumed = count_concurrent(|| {
            let nonces = Arc::clone(&backend.stores.nonces);
            async move { nonces.consume(NonceKind::SsoAssertion, &format!("n{round}")).await.unwrap() }
        });
        assert_eq!(consumed.await, 1);
    }
}

#[tokio::test]
async fn nonce_in_process_expires_after_its_lifetime() {
    let backend = TestBackend::in_process();
    for kind in KINDS {
        assert!(backend.stores.nonces.consume(kind, "n").await.unwrap());
    }
    backend.advance_secs(599);
    assert!(!backend.stores.nonces.consume(NonceKind::ApprovalGrant, "n").await.unwrap());
    backend.advance_secs(1);
    assert!(backend.stores.nonces.consume(NonceKind::ApprovalGrant, "n").await.unwrap());
    assert!(!backend.stores.nonces.consume(NonceKind::SsoState, "n").await.unwrap());
    backend.advance_secs(600);
    assert!(backend.stores.nonces.consume(NonceKind::SsoState, "n").await.unwrap());
}

#[tokio::test]
async fn nonces_in_redis_have_the_names_and_lifetimes_of_dify() {
    let (Some(backend), Some(mut connection)) = (TestBackend::redis(), direct_connection().await) else { return };
    for (kind, name, lifetime) in [
        (NonceKind::SsoAssertion, "sso_assertion_nonce:abc", 600),
        (NonceKind::ApprovalGrant, "device_approval_grant_nonce:abc", 600),
        (NonceKind::SsoState, "openapi:sso_state_nonce:abc", 1_200),
        (NonceKind::ConnectionState, "openapi:connection_state_nonce:abc", 600),
    ] {
        assert!(backend.stores.nonces.consume(kind, "abc").await.unwrap());
        let key = format!("{}:{name}", backend.key_prefix);
        let ttl: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await.unwrap();
        assert!((lifetime - 5..=lifetime).contains(&ttl), "{name}: {ttl}");
    }
}
