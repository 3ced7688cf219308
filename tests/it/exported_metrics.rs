//! Metrics over OTLP are those of `/metrics`, with their types, units and resource.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, HistogramDataPoint, Metric, metric::Data};

use crate::support::{
    collector::{Collector, attributes, text},
    exporting_server::ExportingServer,
    server::free_port,
};

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;
const REQUESTS: &str = "http.server.request.duration";
/// Families of Prometheus that are not instruments of the server.
const OF_PROMETHEUS: [&str; 2] = ["process_", "target_info"];

/// The family of an exported metric in `/metrics`, and its type there.
fn family(metric: &Metric) -> (String, &'static str) {
    let kind = match metric.data.as_ref().unwrap() {
        Data::Gauge(_) => "gauge",
        Data::Sum(sum) => {
            assert_eq!(sum.aggregation_temporality, CUMULATIVE, "{}", metric.name);
            if sum.is_monotonic { "counter" } else { "gauge" }
        }
        Data::Histogram(histogram) => {
            assert_eq!(histogram.aggregation_temporality, CUMULATIVE, "{}", metric.name);
            assert!(histogram.data_points.iter().all(|point| point.explicit_bounds.len() > 5), "{}", metric.name);
            "histogram"
        }
        other => panic!("{}: {other:?}", metric.name),
    };
    let unit = match metric.unit.as_str() {
        "" => "",
        "s" => "_seconds",
        "By" => "_bytes",
        other => panic!("{} has the unit {other}", metric.name),
    };
    let total = if kind == "counter" { "_total" } else { "" };
    (format!("{}{unit}{total}", metric.name.replace('.', "_")), kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_exported_over_grpc_and_http_as_they_are_scraped() {
    let (over_grpc, grpc_endpoint) = Collector::start().await;
    let port = free_port();
    let over_http = Collector::start_over_http(port).await;
    let http_endpoint = format!("http://127.0.0.1:{port}/otlp");
    for (collector, protocol, endpoint) in
        [(over_grpc, "grpc", &grpc_endpoint), (over_http, "http/protobuf", &http_endpoint)]
    {
        let server = ExportingServer::start_with(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ])
        .await;
        server.send().await;
        let (exported, resource) = collector.metrics_with(REQUESTS).await;
        assert_eq!(resource["service.name"], text("dify-openapi"), "{protocol}");
        assert_eq!(resource["service.version"], text(env!("CARGO_PKG_VERSION")));
        assert_eq!(resource["deployment.environment.name"], text("test"));
        assert!(resource.contains_key("service.instance.id"));

        let exported: BTreeMap<_, _> = exported.values().map(family).collect();
        let scraped = reqwest::get(format!("{}/metrics", server.admin)).await.unwrap().text().await.unwrap();
        let types = scraped.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let types: BTreeMap<_, _> = types
            .filter(|(name, _)| !OF_PROMETHEUS.iter().any(|prefix| name.starts_with(prefix)))
            .map(|(name, kind)| (name.to_owned(), kind))
            .collect();
        assert_eq!(exported, types, "{protocol}");
        assert!(types.len() > 20, "{types:?}");
    }
}

/// How often a route has been requested, by a histogram with this temporality that was exported after a time.
fn requests_of(route: &str, metric: &Metric, temporality: AggregationTemporality, after: u128) -> u64 {
    let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:?}") };
    assert_eq!(histogram.aggregation_temporality, temporality as i32);
    let of_route = |point: &&HistogramDataPoint| attributes(&point.attributes).get("http.route") == Some(&text(route));
    let points = histogram.data_points.iter().filter(|point| u128::from(point.time_unix_nano) > after);
    points.filter(of_route).map(|point| point.count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn scrapes_count_from_the_start_whatever_is_exported() {
    const ROUTE: &str = "/openapi/v1/_version";
    for (preference, temporality) in
        [("cumulative", AggregationTemporality::Cumulative), ("delta", AggregationTemporality::Delta)]
    {
        let (collector, endpoint) = Collector::start().await;
        let server = ExportingServer::start_with(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference),
        ])
        .await;
        for sent in 1..=2 {
            let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
            server.send().await;
            let expected = if preference == "delta" { 1 } else { sent };
            let mut exported = 0;
            for _ in 0..100 {
                let metric = collector.metrics_with(REQUESTS).await.0.remove(REQUESTS).unwrap();
                exported = requests_of(ROUTE, &metric, temporality, before);
                if exported == expected {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            assert_eq!(exported, expected, "{preference}");
            let scraped = reqwest::get(format!("{}/metrics", server.admin)).await.unwrap().text().await.unwrap();
            let of_route = format!("http_route=\"{ROUTE}\"");
            let mut lines = scraped.lines().filter(|line| line.contains(&of_route));
            let count = lines.find(|line| line.starts_with("http_server_request_duration_seconds_count")).unwrap();
            assert!(count.ends_with(&format!(" {sent}")), "{preference}: {count}");
        }
    }
}
