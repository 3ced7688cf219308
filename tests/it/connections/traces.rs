//! Calls of the plugin daemon in traces.

use super::{plugin_daemon::PluginServer, tools::app_with, *};
use crate::support::{
    Bearer,
    collector::{Collector, exporting_to, traceparent},
    runs::blocking,
    server_process::ServerProcess,
};

/// Starts an authorization and runs a tool. Returns for each the id of the request and the context that the daemon got.
async fn called(plugin: &PluginServer, bearer: &Bearer, app: &str) -> [(String, String); 2] {
    plugin.daemon.received();
    let context = || plugin.daemon.received().pop().unwrap().traceparent;
    let started = plugin.member.request(Method::GET, &oauth_path("tool/authorization-url"));
    let started = Answer::to(started).await;
    assert_eq!(started.status, 200, "{}", started.text);
    let of_authorization = context();
    let run = blocking(bearer, app, json!({"inputs": {"name": "Ann"}})).await;
    assert_eq!(run.json()["data"]["status"], "succeeded", "{}", run.text);
    [(started, of_authorization), (run, context())]
        .map(|(answer, context)| (answer.header("x-request-id").to_owned(), context))
}

#[tokio::test(flavor = "multi_thread")]
async fn call_is_a_client_span_whose_context_the_daemon_gets_also_without_an_export() {
    let mut plugin = PluginServer::start(Stores::Sqlite).await;
    let app = app_with(&plugin.server, json!({"provider_id": "acme/clock/clock"})).await;
    let bearer = Bearer::sign_in(&plugin.server, MEMBER, "laptop").await;
    for (id, context) in called(&plugin, &bearer, &app).await {
        assert!(context.starts_with(&format!("00-{id}-")), "{context} {id}");
    }
    let metrics = reqwest::get(plugin.server.admin("/metrics")).await.unwrap().text().await.unwrap();
    let is_count = |line: &&str| {
        line.starts_with("openapi_upstream_calls_total")
            && line.contains("outcome=\"answered\"")
            && line.contains("peer=\"plugin-daemon\"")
    };
    let count = metrics.lines().find(is_count).expect("the series exists");
    assert!(count.ends_with(" 2"), "{count}");

    plugin.server.server.halt().await;
    let (collector, endpoint) = Collector::start().await;
    let _process = ServerProcess::start_with(&plugin.server, &exporting_to(&endpoint)).await;
    let contexts = called(&plugin, &bearer, &app).await;
    for ((_, context), route) in contexts.into_iter().zip(["/authorization-url", "/run"]) {
        let request = collector.wait_for(route, |span| span.name.ends_with(route)).await;
        let call = collector.wait_for_call(&request, "plugin-daemon").await;
        assert_eq!(context, traceparent(&call));
    }
}
