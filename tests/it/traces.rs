//! Exported traces follow OpenTelemetry's conventions, and every other system gets the trace context.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};

use crate::support::{
    Stores, TestServer,
    authority::{self, Authority},
    collector::{Collector, attributes, hex, text},
    exporting_server::ExportingServer,
    server::free_port,
};

fn named(name: &'static str) -> impl Fn(&Span) -> bool {
    move |span| span.name == name
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_follow_the_conventions() {
    let (collector, endpoint) = Collector::start().await;
    let server = ExportingServer::start(&endpoint).await;
    let client = reqwest::Client::new();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    // Looks the token up in SQL.
    let answer = client
        .get(format!("{}/openapi/v1/account", server.url))
        .bearer_auth(format!("dfoa_{}", "a".repeat(43)))
        .header("traceparent", parent)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);

    let span = collector.wait_for("of the request", named("GET /openapi/v1/account")).await;
    assert_eq!(span.kind, SpanKind::Server as i32);
    let found = attributes(&span.attributes);
    assert_eq!(found["http.request.method"], text("GET"));
    assert_eq!(found["http.route"], text("/openapi/v1/account"));
    assert_eq!(found["http.response.status_code"], Value::IntValue(401));
    assert!(!found.contains_key("error.type"), "a mistake of the caller is no error of the server");
    // The peer is trusted, so its trace is continued.
    assert_eq!(hex(&span.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&span.parent_span_id), "b7ad6b7169203331");

    let sql = collector.wait_for("of SQL", |sql| sql.name == "SELECT" && sql.trace_id == span.trace_id).await;
    assert_eq!((sql.kind, &sql.parent_span_id), (SpanKind::Client as i32, &span.span_id));
    let found = attributes(&sql.attributes);
    assert_eq!(found["db.system.name"], text("sqlite"));
    assert_eq!(found["db.operation.name"], text("SELECT"));

    let resource = collector.resource();
    assert_eq!(resource["service.name"], text("dify-openapi"));
    assert_eq!(resource["service.version"], text(env!("CARGO_PKG_VERSION")));
    let Value::StringValue(instance) = &resource["service.instance.id"] else { panic!("{resource:?}") };
    assert_eq!(instance.len(), 36);

    // The log line of the request names the same span.
    let log = std::fs::read_to_string(&server.log).unwrap();
    let line = log.lines().find(|line| line.contains("\"route\":\"/openapi/v1/account\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (line["trace_id"].as_str(), line["span_id"].as_str()),
        (Some(&*hex(&span.trace_id)), Some(&*hex(&span.span_id)))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_calls_and_errors_are_named() {
    use dify_openapi::testing::rpc::proto::{GetHealthRequest, ListSessionsRequest};

    use crate::support::grpc::Clients;
    let (collector, endpoint) = Collector::start().await;
    let server = ExportingServer::start(&endpoint).await;
    let channel = tonic::transport::Endpoint::from_shared(server.url.clone()).unwrap().connect().await.unwrap();
    let mut clients = Clients::on(channel);
    clients.meta.get_health(GetHealthRequest {}).await.unwrap();
    clients.session.list_sessions(ListSessionsRequest::default()).await.unwrap_err();

    let span = collector.wait_for("of the call", named("dify.openapi.v1.MetaService/GetHealth")).await;
    let found = attributes(&span.attributes);
    assert_eq!(found["rpc.system.name"], text("grpc"));
    assert_eq!(found["rpc.method"], text("dify.openapi.v1.MetaService/GetHealth"));
    assert_eq!(found["rpc.response.status_code"], text("OK"));
    assert_eq!(span.status.unwrap_or_default().code, StatusCode::Unset as i32);
    let refused = collector.wait_for("of the refused call", named("dify.openapi.v1.SessionService/ListSessions")).await;
    assert_eq!(attributes(&refused.attributes)["rpc.response.status_code"], text("UNAUTHENTICATED"));
    // Spans are named by routes: the health check of the start, and the two calls.
    let spans = collector.spans();
    let servers = spans.iter().filter(|span| span.kind == SpanKind::Server as i32);
    let names: BTreeSet<_> = servers.map(|span| span.name.as_str()).collect();
    let calls = ["dify.openapi.v1.MetaService/GetHealth", "dify.openapi.v1.SessionService/ListSessions"];
    assert_eq!(names, BTreeSet::from([calls[0], calls[1], "GET /openapi/v1/_health"]));
    // Nor are calls to stores outside requests, such as those of jobs, traces of their own.
    let is_root = |span: &&Span| span.parent_span_id.is_empty() && span.kind != SpanKind::Server as i32;
    assert_eq!(spans.iter().filter(is_root).map(|span| &span.name).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn store_calls_are_measured() {
    // SQLite has fewer connections than the setting allows.
    let server = TestServer::start_with(Stores::Sqlite, &[("SQLALCHEMY_POOL_SIZE", "1000")]).await;
    let bearer = crate::support::Bearer::sign_in(&server, crate::support::server::OWNER, "laptop").await;
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    let metrics = reqwest::get(server.admin("/metrics")).await.unwrap().text().await.unwrap();
    for (name, labels) in [
        (
            "db_client_operation_duration_seconds_count",
            &["db_operation_name=\"SELECT\"", "db_system_name=\"sqlite\""][..],
        ),
        ("db_client_operation_duration_seconds_count", &["db_operation_name=\"TRANSACTION\""]),
        ("db_client_connection_count", &["db_client_connection_state=\"idle\""]),
        ("db_client_connection_max", &["db_client_connection_pool_name=\"sql\""]),
    ] {
        let mut lines = metrics.lines().filter(|line| line.starts_with(name));
        assert!(lines.any(|line| labels.iter().all(|label| line.contains(label))), "{name} {labels:?}");
    }
    let max = metrics.lines().find(|line| line.starts_with("db_client_connection_max")).unwrap();
    let max: u32 = max.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((1..1000).contains(&max), "{max}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_calls_and_connections_are_measured() {
    let Some(stores) = Stores::servers().await else { return };
    let server = TestServer::start(stores).await;
    let bearer = crate::support::Bearer::sign_in(&server, crate::support::server::OWNER, "laptop").await;
    for _ in 0..8 {
        assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    }
    let metrics = reqwest::get(server.admin("/metrics")).await.unwrap().text().await.unwrap();
    let value = |name: &str, label: &str| -> u32 {
        let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(label));
        line.unwrap_or_else(|| panic!("{name} {label} in {metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("db_client_operation_duration_seconds_count", "db_system_name=\"redis\"") > 0);
    let pool = "db_client_connection_pool_name=\"redis\"";
    assert!((1..=4).contains(&value("db_client_connection_count", pool)));
    assert_eq!(value("db_client_connection_max", pool), 4);
}

const FAILED_EXPORTS: &str = "openapi_otlp_exports_total{outcome=\"failure\",signal=\"traces\"";
const DROPPED_AT_EXPORT: &str = "openapi_otlp_spans_dropped_total{reason=\"export_failed\"";
const DROPPED_AT_QUEUE: &str = "openapi_otlp_spans_dropped_total{reason=\"queue_full\"";

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_exported_over_http_and_an_outage_of_the_collector_is_logged_once() {
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}/otlp/");
    let server = ExportingServer::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme"),
        ("OTEL_METRICS_EXPORTER", "none"),
    ])
    .await;
    for _ in 0..3 {
        server.send().await;
        server.wait_for_line("telemetry cannot be exported").await;
    }
    assert!(server.metric(FAILED_EXPORTS).await >= 1.0);
    assert!(server.metric(DROPPED_AT_EXPORT).await >= 1.0);

    let collector = Collector::start_over_http(port).await;
    // Spans of the outage may arrive, too.
    server.send().await;
    collector.wait_for("of the request", named("GET /openapi/v1/_version")).await;
    server.wait_for_line("the collector accepts telemetry again").await;
    let log = std::fs::read_to_string(&server.log).unwrap();
    assert_eq!(log.matches("telemetry cannot be exported").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn collector_with_a_private_authority_gets_the_client_certificate() {
    let authority = Authority::new();
    let (collector, endpoint) = Collector::start_with_tls(&authority).await;
    let [certificate, key] = authority.issue_files("client");
    let server = ExportingServer::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority::text(&authority.file())),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", authority::text(&certificate)),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", authority::text(&key)),
    ])
    .await;
    server.send().await;
    collector.wait_for("of the request", named("GET /openapi/v1/_version")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn common_authorities_apply_to_the_collector_as_a_file_and_as_a_directory() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    // The name that `openssl rehash` gives, whose digits are not compared.
    std::fs::copy(authority.file(), directory.path().join("0a1b2c3d.0")).unwrap();
    let [certificate, key] = authority.issue_files("client");
    let (collector, endpoint) = Collector::start_with_tls(&authority).await;
    for (name, path) in [("SSL_CERT_FILE", authority.file()), ("SSL_CERT_DIR", directory.path().to_owned())] {
        let server = ExportingServer::start_with(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", authority::text(&certificate)),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", authority::text(&key)),
            ("OTEL_SERVICE_NAME", name),
            (name, authority::text(&path)),
        ])
        .await;
        server.send().await;
        collector.wait_for_service(name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_beyond_the_queue_of_a_silent_collector_are_counted() {
    // Accepts connections, and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = ExportingServer::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "2"),
    ])
    .await;
    for _ in 0..6 {
        server.send().await;
    }
    assert!(server.metric(DROPPED_AT_QUEUE).await >= 1.0);
}
