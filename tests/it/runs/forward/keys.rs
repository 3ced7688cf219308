//! The `app-` keys that runs are forwarded with.

use std::sync::Arc;

use dify_openapi::testing::{domain::app::AppMode, ports::runtime::AppRuntime as _};
use futures_util::future::join_all;
use serde_json::json;

use super::{
    bench::{Bench, collect, settings},
    message_end,
    stand_in::{StandIn, events, frame, refusal},
};
use crate::support::logs::Logs;

/// One that knows this key alone.
async fn knowing(key: &'static str) -> StandIn {
    StandIn::start(move |call| async move {
        if call.key == key {
            return events([frame(&message_end())]);
        }
        let body = json!({"code": "unauthorized", "message": "Access token is invalid", "status": 401});
        refusal(401, "application/json", body.to_string())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_runs_of_an_app_make_one_key_however_many_replicas_they_come_through() {
    let logs = Logs::listen();
    let upstream = StandIn::telling(&[message_end()]).await;
    let bench = Bench::before(&upstream).await;
    let other = Arc::new(bench.replica(settings(&upstream.url)).await);
    let runs = (0..64).map(|n| {
        let runtime = if n % 2 == 0 { Arc::clone(&bench.runtime) } else { Arc::clone(&other) };
        let run = bench.run(AppMode::Chat);
        tokio::spawn(async move { collect(runtime.start(run).await.unwrap()).await.1 })
    });
    for error in join_all(runs).await {
        assert_eq!(error.unwrap(), None);
    }
    let keys = bench.keys().await;
    assert_eq!(keys.len(), 1);
    let (prefix, rest) = keys[0].split_at(4);
    assert_eq!((prefix, rest.len()), ("app-", 24));
    assert!(rest.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{rest}");
    assert!(upstream.runs().iter().all(|call| call.key == keys[0]));
    let told = logs.about(&["INFO audit", "app.api_key_created", &bench.app.to_string()]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(!logs.said().join("\n").contains(&keys[0]));
}

#[tokio::test]
async fn a_key_that_was_replaced_in_the_console_is_read_again_once() {
    let upstream = knowing("app-second").await;
    let bench = Bench::before(&upstream).await;
    bench.replace_key("app-first").await;
    let error = bench.runtime.start(bench.run(AppMode::Chat)).await.unwrap_err();
    assert_eq!(error.code().as_str(), "upstream_error");
    assert_eq!(upstream.runs().len(), 1, "the same key is not tried twice");
    assert!(!format!("{error:?}").contains("app-first"));

    // It is in memory now, and then out of date.
    assert!(bench.runtime.start(bench.run(AppMode::Chat)).await.is_err());
    bench.replace_key("app-second").await;
    let (_, error) = collect(bench.runtime.start(bench.run(AppMode::Chat)).await.unwrap()).await;
    assert_eq!(error, None);
    let keys: Vec<_> = upstream.runs().into_iter().map(|call| call.key).collect();
    assert_eq!(keys.last().unwrap(), "app-second");
    assert!(keys.len() <= 4, "{keys:?}");
}

#[tokio::test]
async fn an_app_that_is_gone_is_not_found_and_nothing_is_asked() {
    let upstream = StandIn::telling(&[message_end()]).await;
    let bench = Bench::before(&upstream).await;
    let mut run = bench.run(AppMode::Chat);
    run.app.id = dify_openapi::testing::domain::id::AppId(uuid::Uuid::new_v4());
    assert_eq!(bench.runtime.start(run).await.unwrap_err().code().as_str(), "not_found");
    assert!(upstream.runs().is_empty());
    assert!(bench.keys().await.is_empty());
}
