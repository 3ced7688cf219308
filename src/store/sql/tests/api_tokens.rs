//! Keys of Dify's service API.

use futures_util::future::join_all;
use sea_orm::{ActiveValue::Set, EntityTrait as _};

use super::*;
use crate::{
    domain::id::AppId,
    store::sql::{entity::app, timestamp::naive_utc},
};

conformance!(
    concurrent_calls_create_one_key_for_an_app,
    concurrent_calls_create_one_key_for_each_app,
    existing_key_is_returned,
    missing_app_gets_no_key,
);

async fn add_app(sql: &SqlStore) -> AppId {
    let id = Uuid::new_v4();
    let row = app::ActiveModel {
        id: Set(sql.id(id)),
        tenant_id: Set(sql.id(Uuid::new_v4())),
        name: Set("App".to_owned()),
        mode: Set("chat".to_owned()),
        enable_site: Set(false),
        enable_api: Set(true),
        description: Set(String::new()),
        created_at: Set(naive_utc(start())),
        updated_at: Set(naive_utc(start())),
        ..Default::default()
    };
    app::Entity::insert(row).exec_without_returning(&sql.db).await.unwrap();
    AppId(id)
}

fn key(n: usize) -> Secret {
    Secret::new(format!("app-{n:024}"))
}

async fn concurrent_calls_create_one_key_for_an_app(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let app = add_app(&sql).await;
    let calls = (0..64).map(|n| {
        let sql = sql.clone();
        tokio::spawn(async move { sql.get_or_create_app_key(app, &key(n), start()).await.unwrap() })
    });
    let keys: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(keys.iter().filter(|keys| keys.created_id.is_some()).count(), 1);
    assert!(keys.iter().all(|other| other.key.matches(keys[0].key.expose())));
    assert!(sql.find_app_key(app).await.unwrap().unwrap().matches(keys[0].key.expose()));
}

async fn concurrent_calls_create_one_key_for_each_app(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let mut apps = Vec::new();
    for _ in 0..16 {
        apps.push(add_app(&sql).await);
    }
    let calls = (0..64).map(|n| {
        let (sql, app) = (sql.clone(), apps[n % apps.len()]);
        tokio::spawn(
            async move { sql.get_or_create_app_key(app, &key(n), start()).await.unwrap().created_id.is_some() },
        )
    });
    let made = join_all(calls).await.into_iter().filter(|made| *made.as_ref().unwrap()).count();
    assert_eq!(made, apps.len());
}

async fn existing_key_is_returned(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let app = add_app(&sql).await;
    assert!(sql.find_app_key(app).await.unwrap().is_none());
    assert!(sql.get_or_create_app_key(app, &key(1), start()).await.unwrap().created_id.is_some());
    let again = sql.get_or_create_app_key(app, &key(2), later(1)).await.unwrap();
    assert!(again.created_id.is_none() && again.key.matches(key(1).expose()));
}

async fn missing_app_gets_no_key(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let error = sql.get_or_create_app_key(AppId(Uuid::new_v4()), &key(1), start()).await.unwrap_err();
    assert_eq!(error.code(), crate::domain::error::Code::NotFound);
}
