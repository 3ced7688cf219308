//! Access modes of apps.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::{
    domain::{
        access_mode::AccessMode,
        app::{access::AppAccess, summary::AppFilter},
        error::Code,
        id::AppId,
        page::PageRequest,
        stored::{StoredValue, StoredWord as _},
    },
    ports::enterprise::ExternalAppQuery,
};

conformance!(
    access_is_set_replaced_and_listed,
    unknown_app_or_account_changes_nothing,
    external_apps_are_listed_by_mode_newest_first,
);

async fn app(sql: &SqlStore, workspace: impl std::fmt::Display, name: &str, age: i64) -> AppId {
    let (id, updated_at) = (AppId(Uuid::new_v4()), later(-age).naive_utc());
    let insert = format!(
        "INSERT INTO apps (id, tenant_id, name, mode, description, enable_site, enable_api, updated_at) \
         VALUES ('{id}', '{workspace}', '{name}', 'chat', 'About it', TRUE, TRUE, '{updated_at}')"
    );
    execute(sql, &insert).await;
    id
}

async fn access_is_set_replaced_and_listed(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    let bob = account_id(&create_account(&sql, "bob@example.com").await);
    let workspace = sql.create_workspace("Acme", "alice@example.com", start()).await.unwrap();
    let (one, two) = (app(&sql, workspace, "One", 1).await, app(&sql, workspace, "Two", 2).await);
    assert_eq!(sql.find_access_modes(&[one, two]).await.unwrap(), HashMap::new());
    let emails = ["Bob@Example.com", "bob@example.com", "alice@example.com"].map(str::to_owned);
    sql.set_access(one, AccessMode::Private, &emails, "operator", start()).await.unwrap();
    assert_eq!(
        sql.find_access_modes(&[one, two]).await.unwrap(),
        HashMap::from([(one, StoredValue::Known(AccessMode::Private))])
    );
    for account in [alice, bob] {
        assert_eq!(sql.find_permitted_apps(account, &[one, two]).await.unwrap(), HashSet::from([one]));
        assert_eq!(sql.find_permitted_apps(account, &[two]).await.unwrap(), HashSet::new());
    }
    let access = |app_id, name: &str, mode: Option<AccessMode>, allowed: &[&str]| AppAccess {
        app_id,
        name: name.to_owned(),
        mode: mode.map(StoredValue::Known),
        allowed: allowed.iter().map(|email| (*email).to_owned()).collect(),
    };
    assert_eq!(
        sql.list_access(workspace).await.unwrap(),
        [
            access(one, "One", Some(AccessMode::Private), &["alice@example.com", "bob@example.com"]),
            access(two, "Two", None, &[]),
        ]
    );
    sql.set_access(one, AccessMode::Public, &[], "operator", later(1)).await.unwrap();
    assert_eq!(sql.find_permitted_apps(bob, &[one]).await.unwrap(), HashSet::new());
    let expected = [access(one, "One", Some(AccessMode::Public), &[]), access(two, "Two", None, &[])];
    assert_eq!(sql.list_access(workspace).await.unwrap(), expected);
    let many: Vec<_> = (0..25_000).map(|_| AppId(Uuid::new_v4())).chain([one]).collect();
    assert_eq!(sql.find_access_modes(&many).await.unwrap().len(), 1);
    assert_eq!(sql.find_permitted_apps(bob, &many).await.unwrap().len(), 0);
}

async fn unknown_app_or_account_changes_nothing(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let workspace = sql.create_workspace("Acme", "alice@example.com", start()).await.unwrap();
    let known = app(&sql, workspace, "One", 1).await;
    let emails = ["alice@example.com", "nobody@example.com"].map(str::to_owned);
    let private = AccessMode::Private;
    let error = sql.set_access(known, private, &emails, "operator", start()).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let unknown = AppId(Uuid::new_v4());
    let error = sql.set_access(unknown, private, &[], "operator", start()).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(count(&sql, "openapi_app_access").await, 0);
}

async fn external_apps_are_listed_by_mode_newest_first(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let acme = sql.create_workspace("Acme", "alice@example.com", start()).await.unwrap();
    let other = sql.create_workspace("Other", "alice@example.com", start()).await.unwrap();
    let mut expected = Vec::new();
    for (index, mode) in AccessMode::ALL.iter().cycle().take(12).enumerate() {
        let workspace = if index % 2 == 0 { acme } else { other };
        let id = app(&sql, workspace, &format!("App {index}"), i64::try_from(index).unwrap()).await;
        sql.set_access(id, *mode, &[], "operator", start()).await.unwrap();
        if matches!(mode, AccessMode::Public | AccessMode::SsoVerified) {
            expected.push(id);
        }
    }
    let archived = app(&sql, acme, "Archived", 0).await;
    sql.set_access(archived, AccessMode::Public, &[], "operator", start()).await.unwrap();
    execute(&sql, &format!("UPDATE apps SET status = 'archived' WHERE id = '{archived}'")).await;
    app(&sql, acme, "Without a row", 0).await;
    let list = async |page, limit, name: Option<&str>| {
        let filter = AppFilter::parse(Some("chat"), name, None).unwrap();
        let query = ExternalAppQuery { page: PageRequest { page, limit }, filter: &filter };
        sql.list_external_apps(&query).await.unwrap()
    };
    let first = list(1, 4, None).await;
    assert_eq!((first.total, first.has_more, first.apps.as_slice()), (6, true, &expected[..4]));
    let second = list(2, 4, None).await;
    assert_eq!((second.total, second.has_more, second.apps.as_slice()), (6, false, &expected[4..]));
    let third = list(3, 4, None).await;
    assert_eq!((third.total, third.has_more, third.apps.len()), (6, false, 0));
    assert_eq!(list(1, 20, Some("app 5")).await.apps, [expected[3]]);
    assert_eq!(list(1, 20, Some(&expected[1].to_string())).await.apps, [expected[1]]);
    // Rows come in the given order, without those that cannot be called.
    let ids = [expected[2], archived, AppId(Uuid::new_v4()), expected[0]];
    let rows = sql.list_apps_by_id(&ids).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [expected[2], expected[0]]);
    assert_eq!(rows[0].workspace_name, "Acme");
    assert_eq!(sql.list_apps_by_id(&[]).await.unwrap(), []);
}
