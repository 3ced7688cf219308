//! The health of the backend.

use super::backend::{TestBackend, on_both_backends};

on_both_backends! { ping_succeeds }

async fn ping_succeeds(backend: &TestBackend) {
    backend.stores.health.ping().await.unwrap();
}
