//! The alerts and the dashboard of the chart use metrics and labels that the server really has.

mod live;

use std::{collections::BTreeSet, fs, path::Path};

use dify_openapi::testing::rpc::proto::GetHealthRequest;

use crate::support::{
    Answer, Browser, Stores, TestServer,
    grpc::{Clients, channel},
    prometheus::CHART,
};

/// Metrics without a panel: they describe the process and do not change.
const UNSHOWN: [&str; 2] = ["process_start_time_seconds", "target_info"];

/// The words of `text` that are names of metrics or labels: lower case with underscores.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .filter(|word| word.contains('_') && word.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter(|word| *word != "histogram_quantile" && *word != "label_values")
        .collect()
}

/// The titles and the expressions of the dashboard's panels.
fn panels() -> Vec<(String, String)> {
    let dashboard = fs::read_to_string(Path::new(CHART).join("dashboards/dify-openapi.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        let expressions = panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap());
        found.extend(expressions.map(|expression| (title.to_owned(), expression.to_owned())));
    }
    assert!(found.len() > 10);
    found
}

/// The expressions of the alerts and of the dashboard's panels.
fn expressions() -> Vec<String> {
    let mut found: Vec<_> = panels().into_iter().map(|(_, expression)| expression).collect();
    let rules = fs::read_to_string(Path::new(CHART).join("alerts/rules.yaml")).unwrap();
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 5);
    found.extend(alerts.iter().map(|alert| {
        let (_, rest) = alert.split_once("expr:").unwrap();
        rest.split_once("for:").unwrap().0.to_owned()
    }));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_use_metrics_of_the_server() {
    let server = TestServer::start(Stores::Sqlite).await;
    Browser::anonymous(&server).get("/openapi/v1/_health").await;
    Clients::on(channel(&server).await).meta.get_health(GetHealthRequest {}).await.unwrap();
    let metrics = Answer::to(reqwest::Client::new().get(server.admin("/metrics"))).await.text;

    let mut known = names(&metrics);
    // Exists only after a failure of the server.
    known.insert("error_type");
    // Prometheus renames the label `job` of a metric, because a target has one, too.
    known.insert("exported_job");
    // Exist only with another service, and after a call of it.
    known.extend(["http_client_request_duration_seconds_bucket", "openapi_enterprise_circuit_open"]);
    let expressions = expressions();
    let used: BTreeSet<_> = expressions.iter().flat_map(|expression| names(expression)).collect();
    let unknown: Vec<_> = used.difference(&known).filter(|name| !name.starts_with("__")).collect();
    assert!(unknown.is_empty(), "the server has no {unknown:?}");

    // Every metric has a panel or an alert.
    let families: BTreeSet<_> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let is_shown = |family: &str| used.iter().any(|name| name.starts_with(family));
    let hidden: Vec<_> = families.into_iter().filter(|family| !is_shown(family) && !UNSHOWN.contains(family)).collect();
    assert!(hidden.is_empty(), "the dashboard has no panel of {hidden:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_exist_before_their_first_event() {
    let server = TestServer::start(Stores::Sqlite).await;
    let metrics = Answer::to(reqwest::Client::new().get(server.admin("/metrics"))).await.text;
    for (name, label) in [
        ("openapi_rate_limited_total", "limit=\"token\""),
        ("openapi_token_cache_total", "outcome=\"miss\""),
        ("openapi_tokens_minted_total", "subject_type=\"account\""),
        ("openapi_tokens_revoked_total", "reason=\"owner\""),
        ("openapi_tokens_expired_total", ""),
        ("openapi_login_failures_total", "locked=\"false\""),
        ("openapi_runs_total", "mode=\"workflow\""),
        ("openapi_runs_active", "mode=\"agent-chat\""),
        ("openapi_streams_active", "kind=\"follower\""),
        ("openapi_upstream_calls_total", "peer=\"dify-enterprise\""),
        ("openapi_jobs_runs_total", "outcome=\"failure\""),
        ("openapi_device_sign_ins_total", "step=\"redeemed\""),
        ("openapi_device_polls_total", "outcome=\"access_denied\""),
        ("openapi_log_lines_dropped_total", ""),
    ] {
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
        assert!(line.is_some_and(|line| line.ends_with(" 0")), "{name} in\n{metrics}");
    }
    for job in ["last-used", "invalidations", "expired-forms"] {
        let prefix = "openapi_jobs_last_success_seconds{";
        assert!(metrics.lines().any(|line| line.starts_with(prefix) && line.contains(job)), "{job} in\n{metrics}");
    }
    assert!(metrics.contains("target_info{") && metrics.contains("service_name=\"dify-openapi\""), "{metrics}");
    assert!(metrics.contains("process_resident_memory_bytes "), "{metrics}");
}
