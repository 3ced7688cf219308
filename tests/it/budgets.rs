//! The cost of a warm request: SQL statements and Redis round trips, counted by a proxy in front of each store.

mod counting_proxy;

use reqwest::Method;

use self::counting_proxy::CountingProxy;
use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer, apps,
    server::{OWNER, no_limits},
};

/// A server that reaches PostgreSQL and Redis through counting proxies.
async fn start_counted(limits: &str) -> Option<(TestServer, CountingProxy, CountingProxy)> {
    let Stores::Servers { database, redis, prefix } = Stores::servers().await? else { return None };
    let (sql, database) = CountingProxy::postgres(&database).await;
    let (state, redis) = CountingProxy::redis(&redis).await;
    let stores = Stores::Servers { database, redis, prefix };
    let server =
        TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", limits), ("SQLALCHEMY_POOL_SIZE", "1")]).await;
    Some((server, sql, state))
}

/// The SQL statements and Redis round trips of one request, after three requests that fill caches.
async fn cost(
    sql: &CountingProxy,
    state: &CountingProxy,
    request: impl Fn() -> reqwest::RequestBuilder,
    status: u16,
) -> (usize, usize) {
    for _ in 0..3 {
        assert_eq!(Answer::to(request()).await.status, status);
    }
    let mut costs = Vec::new();
    for _ in 0..5 {
        let before = (sql.count(), state.count());
        let answer = Answer::to(request()).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        costs.push((sql.count() - before.0, state.count() - before.1));
    }
    // Background jobs can add to a measurement but never reduce it.
    costs.into_iter().min().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn warm_requests_stay_within_their_budgets() {
    let Some((server, sql, state)) = start_counted(&format!("{},token=100000/1m", no_limits())).await else { return };
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let client = reqwest::Client::new();
    let mut table = Vec::new();
    let workspace = apps::shared_workspace(&server).await;
    for age in 0..40 {
        apps::insert(&server, &workspace, &format!("App {age}"), "workflow", age).await;
    }
    let app = apps::insert(&server, &workspace, "Flow", "workflow", 0).await;
    apps::publish(&server, &app, &apps::form_graph(&serde_json::json!([])), &serde_json::json!({})).await;
    apps::tag(&server, &workspace, "prod", &[&app]).await;
    let listed = format!("/openapi/v1/apps?workspace_id={workspace}");
    let described = format!("/openapi/v1/apps/{app}/describe");
    for (path, status, statements, trips) in [
        (listed.as_str(), 200, 2, 1),
        (&format!("{listed}&limit=200"), 200, 2, 1),
        (&format!("{listed}&limit=1&page=3&mode=workflow&name=p&tag=prod"), 200, 2, 1),
        (&described, 200, 1, 1),
        (&format!("{described}?workspace_id={workspace}"), 200, 1, 1),
        (&format!("/openapi/v1/apps/Flow/describe?workspace_id={workspace}"), 200, 2, 1),
        ("/openapi/v1/account", 200, 2, 1),
        ("/openapi/v1/account/sessions", 200, 2, 1),
        ("/openapi/v1/workspaces", 200, 1, 1),
        ("/openapi/v1/_health", 200, 0, 0),
    ] {
        let found = cost(&sql, &state, || bearer.request(Method::GET, path), status).await;
        table.push((path.to_owned(), found, found.0 <= statements && found.1 <= trips));
    }
    let code =
        || client.post(server.at("/openapi/v1/oauth/device/code")).json(&serde_json::json!({"client_id": "difyctl"}));
    let found = cost(&sql, &state, code, 200).await;
    table.push(("device/code".to_owned(), found, found.0 == 0));
    let device = Device::start(&server, "phone").await;
    let body = serde_json::json!({"client_id": "difyctl", "device_code": device.device_code});
    let poll = || client.post(server.at("/openapi/v1/oauth/device/token")).json(&body);
    let found = cost(&sql, &state, poll, 400).await;
    table.push(("a pending poll".to_owned(), found, found == (0, 1)));
    assert!(table.iter().all(|(_, _, within)| *within), "(statements, round trips): {table:?}");
    // Proves that the proxies count: a password sign-in needs SQL, and a device code needs Redis.
    let before = (sql.count(), state.count());
    Browser::signed_in(&server, OWNER).await;
    Device::start(&server, "tablet").await;
    assert!(sql.count() - before.0 >= 3 && state.count() > before.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn account_limit_costs_a_second_redis_round_trip() {
    let Some((server, sql, state)) = start_counted("token=100000/1m,account=100000/1m").await else { return };
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let found = cost(&sql, &state, || bearer.request(Method::GET, "/openapi/v1/account"), 200).await;
    assert!(found.0 <= 2 && found.1 == 2, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_cached_as_invalid_needs_no_sql() {
    let Some((server, sql, state)) = start_counted(&format!("{},token=100000/1m", no_limits())).await else { return };
    let unknown = Bearer::with_token(&server, &format!("dfoa_{:043}", 1), "");
    let found = cost(&sql, &state, || unknown.request(Method::GET, "/openapi/v1/account"), 401).await;
    assert_eq!(found, (0, 1));
}
