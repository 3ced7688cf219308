//! The API keys (`app-…`) of forwarded runs.

use std::sync::Arc;

use dify_openapi::testing::{domain::AppMode, ports::AppRuntime as _};
use futures_util::future::join_all;
use serde_json::json;

use super::{
    fake_dify::{FakeDify, error_response, events, frame},
    fixture::{Fixture, collect, settings},
    message_end,
};
use crate::support::logs::Logs;

/// An upstream that accepts only this key.
async fn accepting_key(key: &'static str) -> FakeDify {
    FakeDify::start(move |call| async move {
        if call.key == key {
            return events([frame(&message_end())]);
        }
        let body = json!({"code": "unauthorized", "message": "Access token is invalid", "status": 401});
        error_response(401, "application/json", body.to_string())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_runs_create_one_api_key() {
    let logs = Logs::capture();
    let upstream = FakeDify::sending(&[message_end()]).await;
    let fixture = Fixture::new(&upstream).await;
    let other = Arc::new(fixture.replica(settings(&upstream.url)).await);
    let runs = (0..64).map(|n| {
        let runtime = if n % 2 == 0 { Arc::clone(&fixture.runtime) } else { Arc::clone(&other) };
        let run = fixture.run(AppMode::Chat);
        tokio::spawn(async move { collect(runtime.start(run).await.unwrap()).await.1 })
    });
    for error in join_all(runs).await {
        assert_eq!(error.unwrap(), None);
    }
    let keys = fixture.keys().await;
    assert_eq!(keys.len(), 1);
    let (prefix, rest) = keys[0].split_at(4);
    assert_eq!((prefix, rest.len()), ("app-", 24));
    assert!(rest.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{rest}");
    assert!(upstream.runs().iter().all(|call| call.key == keys[0]));
    let audited = logs.matching(&["INFO audit", "app.api_key_created", &fixture.app.to_string()]);
    assert_eq!(audited.len(), 1, "{audited:?}");
    assert!(!logs.events().join("\n").contains(&keys[0]));
}

#[tokio::test]
async fn replaced_api_key_is_read_again_once() {
    let upstream = accepting_key("app-second").await;
    let fixture = Fixture::new(&upstream).await;
    fixture.replace_key("app-first").await;
    let error = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap_err();
    assert_eq!(error.code().as_str(), "upstream_error");
    assert_eq!(upstream.runs().len(), 1, "the same key is not tried twice");
    assert!(!format!("{error:?}").contains("app-first"));

    // The runtime has cached the first key, which is now outdated.
    assert!(fixture.runtime.start(fixture.run(AppMode::Chat)).await.is_err());
    fixture.replace_key("app-second").await;
    let (_, error) = collect(fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap()).await;
    assert_eq!(error, None);
    let keys: Vec<_> = upstream.runs().into_iter().map(|call| call.key).collect();
    assert_eq!(keys.last().unwrap(), "app-second");
    assert!(keys.len() <= 4, "{keys:?}");
}

#[tokio::test]
async fn deleted_app_returns_not_found_without_an_upstream_request() {
    let upstream = FakeDify::sending(&[message_end()]).await;
    let fixture = Fixture::new(&upstream).await;
    let mut run = fixture.run(AppMode::Chat);
    run.app.id = dify_openapi::testing::domain::AppId(uuid::Uuid::new_v4());
    assert_eq!(fixture.runtime.start(run).await.unwrap_err().code().as_str(), "not_found");
    assert!(upstream.runs().is_empty());
    assert!(fixture.keys().await.is_empty());
}
