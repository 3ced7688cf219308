//! `/metrics` in the format of OpenMetrics: an independent parser reads it, and its exemplars name exported spans.

use dify_openapi::testing::rpc::proto::GetHealthRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

use crate::support::{
    collector::{Collector, hex},
    exporting_server::ExportingServer,
    grpc::Clients,
    python::Script,
};

const HEALTH: &str = "dify.openapi.v1.MetaService/GetHealth";
const REQUESTS: &str = "http_server_request_duration_seconds";
const CALLS: &str = "rpc_server_call_duration_seconds";

impl ExportingServer {
    /// Sends a request over JSON and one over gRPC.
    async fn send_both(&self) {
        self.send().await;
        let channel = tonic::transport::Endpoint::from_shared(self.url.clone()).unwrap().connect().await.unwrap();
        Clients::on(channel).meta.get_health(GetHealthRequest {}).await.unwrap();
    }

    /// Both formats as the script has read them; `None` without Python.
    fn scrape(&self) -> Option<Value> {
        Some(Script::start("scrape_metrics.py", &[&format!("{}/metrics", self.admin)])?.next())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exemplar_names_an_exported_span_of_its_bucket() {
    let (collector, endpoint) = Collector::start().await;
    let server = ExportingServer::start(&endpoint).await;
    server.send_both().await;
    for name in ["GET /openapi/v1/_version", HEALTH] {
        collector.wait_for("of the request", |span| span.name == name).await;
    }
    let Some(found) = server.scrape() else { return };
    let exemplars = found["exemplars"].as_array().unwrap();
    for (family, label, route, name) in [
        (REQUESTS, "http_route", "/openapi/v1/_version", "GET /openapi/v1/_version"),
        (CALLS, "rpc_method", HEALTH, HEALTH),
    ] {
        let of_route = |found: &&Value| found["family"] == family && found["labels"][label] == route;
        let found: Vec<_> = exemplars.iter().filter(of_route).collect();
        let [found] = &found[..] else { panic!("{family}: {exemplars:#?}") };
        let number = |member: &str| found[member].as_f64().unwrap();
        assert!(number("above") < number("value"), "{found}");
        assert!(found["to"].as_f64().is_none_or(|bound| number("value") <= bound), "{found}");

        let ids = |id: &str| found["exemplar"][id].as_str().unwrap().to_owned();
        let is_named = |span: &Span| (hex(&span.trace_id), hex(&span.span_id)) == (ids("trace_id"), ids("span_id"));
        let span = collector.wait_for("of the exemplar", is_named).await;
        assert_eq!(span.name, name);
        // The request is counted within its span. The exemplar has milliseconds only.
        let nanoseconds = |time: u64| std::time::Duration::from_nanos(time).as_secs_f64();
        let (start, end) = (nanoseconds(span.start_time_unix_nano), nanoseconds(span.end_time_unix_nano));
        let time = number("time");
        assert!(start - 0.01 < time && time < end + 0.01, "{start} {time} {end}");
        assert_eq!(found["exemplar"].as_object().unwrap().len(), 2, "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_have_the_same_series_and_only_openmetrics_has_exemplars() {
    let (_collector, endpoint) = Collector::start().await;
    let server = ExportingServer::start(&endpoint).await;
    server.send_both().await;
    let Some(found) = server.scrape() else { return };
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(found["content_types"], serde_json::json!([openmetrics, text, text]));
    assert_eq!(found["only_openmetrics"], serde_json::json!([]));
    assert!(!found["exemplars"].as_array().unwrap().is_empty());
    assert!(!found["text"].as_str().unwrap().contains("trace_id"));
    for (family, kind) in [
        (REQUESTS, "histogram"),
        ("openapi_tokens_minted", "counter"),
        ("process_cpu_seconds", "counter"),
        ("http_server_active_requests", "gauge"),
        ("target", "info"),
    ] {
        assert_eq!(found["types"][family], kind, "{family}");
    }
    for (family, unit) in [(REQUESTS, "seconds"), ("process_resident_memory_bytes", "bytes")] {
        assert_eq!(found["units"][family], unit, "{family}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unsampled_requests_and_the_filter_leave_no_exemplars() {
    let (collector, endpoint) = Collector::start().await;
    for variable in [("OTEL_METRICS_EXEMPLAR_FILTER", "always_off"), ("OTEL_SAMPLING_RATE", "0")] {
        let server = ExportingServer::start_with(&[("OTLP_BASE_ENDPOINT", &endpoint), variable]).await;
        server.send_both().await;
        if variable.1 == "always_off" {
            collector.wait_for("of the call", |span| span.name == HEALTH).await;
        }
        let Some(found) = server.scrape() else { return };
        assert_eq!(found["exemplars"], serde_json::json!([]), "{variable:?}");
        assert_eq!(found["types"][CALLS], "histogram");
    }
}
