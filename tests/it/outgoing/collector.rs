//! Collectors with a private authority: they are trusted as other servers are, and get a certificate of their own only.

use crate::support::{
    authority::{Authority, text},
    collector::Collector,
    exporting_server::ExportingServer,
    server::free_port,
    tls_proxy::{ClientCertificates, TlsProxy},
};

async fn check(collector: Collector, url: &str, alpn: &[&str], protocol: &str) {
    let authority = Authority::new();
    let proxy = TlsProxy::start_with_protocols(url, &authority, ClientCertificates::Requested, alpn).await;
    let (ca, [certificate, key]) = (authority.file(), authority.issue_files("client"));
    let common = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", proxy.url.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("SSL_CLIENT_CERT_FILE", text(&certificate)),
        ("SSL_CLIENT_KEY_FILE", text(&key)),
    ];
    let untrusting = ExportingServer::start_with(&common).await;
    untrusting.send().await;
    untrusting.wait_for_line("telemetry cannot be exported").await;
    assert!(collector.spans().is_empty());

    let trusted = [common.as_slice(), &[("SSL_CERT_FILE", text(&ca))]].concat();
    let trusting = ExportingServer::start_with(&trusted).await;
    trusting.send().await;
    collector.wait_for("of the request", |span| span.name == "GET /openapi/v1/_version").await;
    let presented = proxy.take_presented();
    assert!(!presented.is_empty() && presented.iter().all(Option::is_none), "{presented:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn collector_over_grpc_is_trusted_through_the_common_authorities() {
    let (collector, url) = Collector::start().await;
    check(collector, &url, &["h2"], "grpc").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collector_over_http_is_trusted_through_the_common_authorities() {
    let port = free_port();
    let collector = Collector::start_over_http(port).await;
    check(collector, &format!("http://127.0.0.1:{port}/otlp"), &[], "http/protobuf").await;
}
