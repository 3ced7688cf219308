//! Pending imports, on both backends.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    domain::{
        Code,
        id::{AccountId, ImportId, WorkspaceId},
    },
    ports::pending_import_store::{LIFETIME, PendingImportKey},
    store::state::tests::backend::{TestBackend, count_concurrent, direct_connection, on_both_backends},
};

on_both_backends! {
    import_is_taken_once,
    exactly_one_of_many_concurrent_requests_takes_an_import,
}

fn new_key() -> PendingImportKey {
    PendingImportKey {
        workspace: WorkspaceId(Uuid::new_v4()),
        account: AccountId(Uuid::new_v4()),
        id: ImportId(Uuid::new_v4()),
    }
}

async fn import_is_taken_once(backend: &TestBackend) {
    let (imports, key) = (&backend.stores.pending_imports, new_key());
    assert_eq!(imports.take(key).await.unwrap(), None);
    imports.put(key, "sealed".to_owned()).await.unwrap();
    for other in [
        PendingImportKey { workspace: WorkspaceId(Uuid::new_v4()), ..key },
        PendingImportKey { account: AccountId(Uuid::new_v4()), ..key },
        PendingImportKey { id: ImportId(Uuid::new_v4()), ..key },
    ] {
        assert_eq!(imports.take(other).await.unwrap(), None);
    }
    assert_eq!(imports.take(key).await.unwrap().as_deref(), Some("sealed"));
    assert_eq!(imports.take(key).await.unwrap(), None);
}

async fn exactly_one_of_many_concurrent_requests_takes_an_import(backend: &TestBackend) {
    for _ in 0..20 {
        let key = new_key();
        backend.stores.pending_imports.put(key, "sealed".to_owned()).await.unwrap();
        let taken = count_concurrent(|| {
            let imports = Arc::clone(&backend.stores.pending_imports);
            async move { imports.take(key).await.unwrap().is_some() }
        });
        assert_eq!(taken.await, 1);
    }
}

#[tokio::test]
async fn import_in_process_expires_and_makes_room() {
    let backend = TestBackend::in_process();
    let (imports, long) = (&backend.stores.pending_imports, "x".repeat(14 << 20));
    let (first, second) = (new_key(), new_key());
    imports.put(first, long.clone()).await.unwrap();
    imports.put(second, long.clone()).await.unwrap();
    assert_eq!(imports.put(new_key(), long.clone()).await.unwrap_err().code(), Code::ServiceUnavailable);
    assert!(imports.take(first).await.unwrap().is_some());
    imports.put(first, long.clone()).await.unwrap();
    backend.advance(LIFETIME);
    assert_eq!(imports.take(first).await.unwrap(), None);
    imports.put(new_key(), long.clone()).await.unwrap();
    imports.put(new_key(), long).await.unwrap();
}

#[tokio::test]
async fn account_leaves_room_for_the_imports_of_others() {
    let backend = TestBackend::in_process();
    let (imports, key) = (&backend.stores.pending_imports, new_key());
    let long = "x".repeat(10 << 20);
    let of_same_account = || PendingImportKey { id: ImportId(Uuid::new_v4()), ..key };
    imports.put(key, long.clone()).await.unwrap();
    imports.put(of_same_account(), long.clone()).await.unwrap();
    assert_eq!(imports.put(of_same_account(), "x".to_owned()).await.unwrap_err().code(), Code::ServiceUnavailable);
    imports.put(new_key(), long.clone()).await.unwrap();
    imports.put(new_key(), long).await.unwrap();
}

#[tokio::test]
async fn import_in_redis_expires_after_ten_minutes() {
    let (Some(backend), Some(mut connection)) = (TestBackend::redis(), direct_connection().await) else { return };
    let key = new_key();
    backend.stores.pending_imports.put(key, "sealed".to_owned()).await.unwrap();
    let PendingImportKey { workspace, account, id } = key;
    let key = format!("{}:openapi:pending_import:{workspace}:{account}:{id}", backend.key_prefix);
    let ttl: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await.unwrap();
    assert!((595..=600).contains(&ttl), "{ttl}");
}
