//! A stand-in for an OpenTelemetry collector: it keeps the spans that it receives over gRPC and over HTTP.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::Metric,
    trace::v1::{Span, span::SpanKind},
};
use parking_lot::Mutex;
use prost::Message as _;
use tonic::{
    Request, Response, Status,
    transport::{Certificate, Identity, ServerTlsConfig},
};

use super::authority::Authority;

/// Received spans and the last value of each metric, and the attributes of the last resources.
#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Received>>);

#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    resource: BTreeMap<String, Value>,
    metrics: BTreeMap<String, Metric>,
    resource_of_metrics: BTreeMap<String, Value>,
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.keep_metrics(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.keep(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Starts one, and returns its endpoint.
    pub async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.clone()));
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tokio::spawn(server.serve_with_incoming(incoming));
        (collector, endpoint)
    }

    /// Starts one that requires the certificates of an authority.
    pub async fn start_with_tls(authority: &Authority) -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let issued = authority.issue();
        let clients = Certificate::from_pem(std::fs::read(authority.file()).unwrap());
        let tls =
            ServerTlsConfig::new().identity(Identity::from_pem(issued.certificate, issued.key)).client_ca_root(clients);
        let mut server = tonic::transport::Server::builder().tls_config(tls).unwrap();
        let service = TraceServiceServer::new(collector.clone());
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tokio::spawn(server.add_service(service).serve_with_incoming(incoming));
        (collector, endpoint)
    }

    /// Starts one that speaks protobuf over HTTP, on a port that is free.
    pub async fn start_over_http(port: u16) -> Self {
        let collector = Self::default();
        let receiver = collector.clone();
        let receive = move |headers: axum::http::HeaderMap, body: axum::body::Bytes| async move {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            assert_eq!(headers["x-tenant"], "acme");
            receiver.keep(ExportTraceServiceRequest::decode(body).unwrap());
            ExportTraceServiceResponse::default().encode_to_vec()
        };
        let receiver = collector.clone();
        let receive_metrics = move |body: axum::body::Bytes| async move {
            receiver.keep_metrics(ExportMetricsServiceRequest::decode(body).unwrap());
            ExportMetricsServiceResponse::default().encode_to_vec()
        };
        let router = axum::Router::new()
            .route("/otlp/v1/traces", axum::routing::post(receive))
            .route("/otlp/v1/metrics", axum::routing::post(receive_metrics));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    fn keep(&self, request: ExportTraceServiceRequest) {
        let mut received = self.0.lock();
        for spans in request.resource_spans {
            received.resource = attributes(&spans.resource.unwrap_or_default().attributes);
            received.spans.extend(spans.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }

    fn keep_metrics(&self, request: ExportMetricsServiceRequest) {
        let mut received = self.0.lock();
        for metrics in request.resource_metrics {
            received.resource_of_metrics = attributes(&metrics.resource.unwrap_or_default().attributes);
            let metrics = metrics.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            received.metrics.extend(metrics.map(|metric| (metric.name.clone(), metric)));
        }
    }

    /// The metrics by their names, and the attributes of their resource, once one of them has this name.
    pub async fn metrics_with(&self, name: &str) -> (BTreeMap<String, Metric>, BTreeMap<String, Value>) {
        for _ in 0..400 {
            let (metrics, resource) = {
                let received = self.0.lock();
                (received.metrics.clone(), received.resource_of_metrics.clone())
            };
            if metrics.contains_key(name) {
                return (metrics, resource);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no metric {name} in {:?}", self.0.lock().metrics.keys());
    }

    /// Waits for the client span of a call to this peer within a request, and checks that it is a part of the request.
    pub async fn wait_for_call(&self, request: &Span, peer: &str) -> Span {
        let is_call = |span: &Span| {
            span.trace_id == request.trace_id
                && attributes(&span.attributes).get("service.peer.name") == Some(&text(peer))
        };
        let call = self.wait_for(&format!("of the call of {peer}"), is_call).await;
        assert_eq!(call.kind, SpanKind::Client as i32);
        assert_eq!(call.parent_span_id, request.span_id, "{call:?}");
        call
    }

    /// Waits for a span for which the predicate is true.
    pub async fn wait_for(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        for _ in 0..400 {
            if let Some(span) = self.0.lock().spans.iter().find(|span| wanted(span)) {
                return span.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let names: Vec<_> = self.spans().into_iter().map(|span| span.name).collect();
        panic!("no span {what} in {names:?}");
    }

    /// Waits for the resource of a service.
    pub async fn wait_for_service(&self, name: &str) -> BTreeMap<String, Value> {
        for _ in 0..400 {
            let resource = self.resource();
            if resource.get("service.name") == Some(&text(name)) {
                return resource;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing of the service {name}");
    }

    pub fn spans(&self) -> Vec<Span> {
        self.0.lock().spans.clone()
    }

    pub fn resource(&self) -> BTreeMap<String, Value> {
        self.0.lock().resource.clone()
    }
}

/// Attributes by their names.
pub fn attributes(list: &[KeyValue]) -> BTreeMap<String, Value> {
    let value = |value: Option<AnyValue>| value.and_then(|value| value.value);
    list.iter().filter_map(|pair| Some((pair.key.clone(), value(pair.value.clone())?))).collect()
}

pub fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

/// The header with which a call passes its span on.
pub fn traceparent(span: &Span) -> String {
    format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))
}

/// The variables of a process that exports everything to the collector at once.
pub fn exporting_to(endpoint: &str) -> [(&'static str, &str); 5] {
    [
        ("ENABLE_OTEL", "true"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_SAMPLING_RATE", "1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
    ]
}

/// The id of a trace or a span as text.
pub fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
