//! Leases and slots, on both backends.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use crate::store::state::tests::backend::{TestBackend, count_concurrent, on_both_backends};

on_both_backends! {
    lease_has_one_holder,
    slots_are_acquired_released_and_expire,
    concurrent_requests_do_not_exceed_the_slots,
}

const LIFETIME: Duration = Duration::from_mins(10);

async fn lease_has_one_holder(backend: &TestBackend) {
    assert!(backend.stores.leases.acquire_lease("retention", LIFETIME).await.unwrap());
    assert!(!backend.stores.leases.acquire_lease("retention", LIFETIME).await.unwrap());
    assert!(backend.stores.leases.acquire_lease("flush", LIFETIME).await.unwrap());
    backend.advance(LIFETIME);
    assert!(backend.stores.leases.acquire_lease("retention", LIFETIME).await.unwrap());
    backend.stores.leases.release_lease("retention").await.unwrap();
    backend.stores.leases.release_lease("another job").await.unwrap();
    assert!(backend.stores.leases.acquire_lease("retention", LIFETIME).await.unwrap());
}

async fn slots_are_acquired_released_and_expire(backend: &TestBackend) {
    let (one, two, three) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let lifetime = Duration::from_secs(90);
    let acquire =
        async |holder, max_slots| backend.stores.leases.acquire_slot("app", holder, max_slots, lifetime).await.unwrap();
    assert!(acquire(one, 2).await && acquire(two, 2).await);
    assert!(!acquire(three, 2).await, "all slots are taken");
    assert!(acquire(one, 2).await, "a holder can renew its slot");
    assert!(
        backend.stores.leases.acquire_slot("other", three, 1, lifetime).await.unwrap(),
        "each key has its own slots"
    );
    backend.stores.leases.release_slot("app", two).await.unwrap();
    backend.stores.leases.release_slot("app", two).await.unwrap();
    assert!(acquire(three, 2).await);
    // A slot that is renewed is kept; one that is not renewed expires.
    backend.advance_secs(60);
    assert!(acquire(one, 2).await);
    backend.advance_secs(60);
    assert!(acquire(two, 2).await, "the third slot has expired");
    assert!(!acquire(three, 2).await);
    // A lowered maximum admits no holder until fewer slots than that are taken.
    backend.stores.leases.release_slot("app", one).await.unwrap();
    assert!(!acquire(three, 1).await);
    backend.stores.leases.release_slot("app", two).await.unwrap();
    assert!(acquire(three, 1).await);
    backend.stores.leases.release_slot("app", Uuid::new_v4()).await.unwrap();
    backend.stores.leases.release_slot("another key", one).await.unwrap();
}

async fn concurrent_requests_do_not_exceed_the_slots(backend: &TestBackend) {
    for round in 0..100 {
        let acquired = count_concurrent(|| {
            let leases = Arc::clone(&backend.stores.leases);
            async move { leases.acquire_slot(&format!("app{round}"), Uuid::new_v4(), 5, LIFETIME).await.unwrap() }
        });
        assert_eq!(acquired.await, 5);
    }
}
