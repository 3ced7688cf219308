//! The cache of the enterprise service's answers, on both backends.

use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    domain::{
        access_mode::LicenseStatus,
        id::{AccountId, AppId},
        stored::StoredValue,
    },
    store::state::tests::backend::{TestBackend, direct_connection, on_both_backends},
};

on_both_backends! {
    license_status_is_kept_as_it_is,
    permissions_belong_to_an_account_and_an_app,
    missing_permission_is_forgotten_first,
}

fn app() -> AppId {
    AppId(Uuid::new_v4())
}

async fn license_status_is_kept_as_it_is(backend: &TestBackend) {
    let cache = &backend.stores.enterprise_cache;
    assert_eq!(cache.find_license().await.unwrap(), None);
    for status in ["active", "expired", "a word of another version"] {
        let status = StoredValue::<LicenseStatus>::from(status.to_owned());
        cache.put_license(&status).await.unwrap();
        assert_eq!(cache.find_license().await.unwrap(), Some(status));
    }
}

async fn permissions_belong_to_an_account_and_an_app(backend: &TestBackend) {
    let cache = &backend.stores.enterprise_cache;
    let (ann, bob) = (AccountId(Uuid::new_v4()), AccountId(Uuid::new_v4()));
    let (allowed, denied, unknown) = (app(), app(), app());
    assert_eq!(cache.find_permissions(ann, &[]).await.unwrap(), HashMap::new());
    cache.put_permissions(ann, &HashMap::from([(allowed, true), (denied, false)])).await.unwrap();
    let found = cache.find_permissions(ann, &[unknown, denied, allowed]).await.unwrap();
    assert_eq!(found, HashMap::from([(allowed, true), (denied, false)]));
    assert_eq!(cache.find_permissions(bob, &[allowed]).await.unwrap(), HashMap::new());
    cache.put_permissions(ann, &HashMap::from([(allowed, false)])).await.unwrap();
    assert_eq!(cache.find_permissions(ann, &[allowed]).await.unwrap(), HashMap::from([(allowed, false)]));
}

/// Redis' own clock cannot be moved, so its lifetimes are read below.
async fn missing_permission_is_forgotten_first(backend: &TestBackend) {
    if !backend.key_prefix.is_empty() {
        return;
    }
    let cache = &backend.stores.enterprise_cache;
    let (ann, allowed, denied) = (AccountId(Uuid::new_v4()), app(), app());
    cache.put_permissions(ann, &HashMap::from([(allowed, true), (denied, false)])).await.unwrap();
    let left = async || cache.find_permissions(ann, &[allowed, denied]).await.unwrap();
    backend.advance_secs(9);
    assert_eq!(left().await.len(), 2);
    backend.advance_secs(1);
    assert_eq!(left().await, HashMap::from([(allowed, true)]));
    backend.advance_secs(50);
    assert_eq!(left().await, HashMap::new());
    for (status, seconds) in [("active", 600), ("expiring", 600), ("expired", 30), ("unheard of", 30)] {
        cache.put_license(&StoredValue::from(status.to_owned())).await.unwrap();
        backend.advance_secs(seconds - 1);
        assert!(cache.find_license().await.unwrap().is_some(), "{status}");
        backend.advance_secs(1);
        assert_eq!(cache.find_license().await.unwrap(), None, "{status}");
    }
}

#[tokio::test]
async fn redis_entries_have_difys_names_values_and_lifetimes() {
    let (Some(backend), Some(mut connection)) = (TestBackend::redis(), direct_connection().await) else { return };
    let cache = &backend.stores.enterprise_cache;
    let (ann, allowed, denied) = (AccountId(Uuid::new_v4()), app(), app());
    let key = |name: &str| format!("{}:{name}", backend.key_prefix);
    cache.put_permissions(ann, &HashMap::from([(allowed, true), (denied, false)])).await.unwrap();
    cache.put_license(&StoredValue::Known(LicenseStatus::Active)).await.unwrap();
    for (key, value, lifetime) in [
        (key(&format!("acl:webapp:{ann}:{allowed}")), "allow", 60),
        (key(&format!("acl:webapp:{ann}:{denied}")), "deny", 10),
        (key("enterprise:license:status"), "active", 600),
    ] {
        let stored: String = redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
        let left: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await.unwrap();
        assert_eq!((stored.as_str(), lifetime - left <= 1), (value, true), "{key}: {left} s");
    }
    cache.put_license(&StoredValue::Known(LicenseStatus::Lost)).await.unwrap();
    let left: i64 = redis::cmd("TTL").arg(key("enterprise:license:status")).query_async(&mut connection).await.unwrap();
    assert!((29..=30).contains(&left), "{left} s");
    // Values that this version cannot read count as absent.
    for (key, value) in [
        (key("enterprise:license:status"), vec![0xff; 3]),
        (key(&format!("acl:webapp:{ann}:{allowed}")), b"1".to_vec()),
    ] {
        let _: () = redis::cmd("SET").arg(key).arg(value).query_async(&mut connection).await.unwrap();
    }
    assert_eq!(cache.find_license().await.unwrap(), None);
    assert_eq!(cache.find_permissions(ann, &[allowed]).await.unwrap(), HashMap::new());
}
