use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use chrono::DateTime;
use http::HeaderMap;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::Sampler;
use tracing::subscriber::with_default;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    access::{AccessEvent, Door, Outcome},
    audit::AuditEvent,
    metrics::{CacheOutcome, MetricsFormat, RevokeReason},
    sampling::SampledIds,
    sink::Capture,
    trace::TracedRequest,
    *,
};
use crate::{
    config::telemetry::LogFormat,
    domain::caller::ClientAddress,
    domain::{
        grant::GrantRequest,
        id::{AccountId, TokenId},
        limit::LimitName,
        subject::{Subject, SubjectType},
    },
};

const CLIENT: ClientAddress = ClientAddress(IpAddr::V4(Ipv4Addr::new(1, 2, 3, 4)));

/// The log of `body` with these directives.
fn log_of(format: LogFormat, directives: &str, body: impl FnOnce()) -> String {
    let capture = Capture::default();
    let sink = Sink::new(Box::new(capture.clone())).unwrap();
    let layer = LineLayer::new(format, sink.clone());
    with_default(tracing_subscriber::registry().with(layer).with(targets(directives, true)), body);
    sink.flush();
    capture.text()
}

fn access() -> AccessEvent<'static> {
    AccessEvent {
        place: None,
        method: "GET",
        route: "/openapi/v1/account/sessions/{id}",
        outcome: Outcome::complete(200, None),
        duration: Duration::from_micros(1_234),
        client: CLIENT,
        request_id: "0198a7a0-0000-7000-8000-000000000000",
        door: Door::Json,
    }
}

#[test]
fn request_is_logged_as_one_json_line() {
    let text = log_of(LogFormat::Json, "info", || access().record());
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ts = line["ts"].as_str().unwrap();
    assert!(DateTime::parse_from_rfc3339(ts).is_ok() && ts.ends_with('Z'), "{ts}");
    let expected = serde_json::json!({
        "ts": ts, "level": "INFO", "target": "access", "method": "GET", "route": "/openapi/v1/account/sessions/{id}",
        "status": 200, "duration_us": 1234, "client": "1.2.3.4", "request_id": "0198a7a0-0000-7000-8000-000000000000",
        "door": "json",
    });
    assert_eq!(line, expected);
    assert!(text.ends_with("}\n") && text.matches('\n').count() == 1);
}

#[test]
fn call_that_failed_or_was_aborted_is_logged_with_its_status() {
    let aborted = Outcome { is_aborted: true, ..Outcome::complete(200, Some("CANCELLED")) };
    for (outcome, expected) in [
        (Outcome::complete(200, Some("UNAVAILABLE")), serde_json::json!([200, "UNAVAILABLE", null])),
        (aborted, serde_json::json!([200, "CANCELLED", true])),
    ] {
        let text = log_of(LogFormat::Json, "info", || AccessEvent { outcome, ..access() }.record());
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::json!([line["status"], line["grpc_status"], line["aborted"]]), expected);
    }
}

#[test]
fn control_characters_in_values_are_escaped() {
    let hostile = "a \"quoted\" \\ back\nslash\r\u{1}\u{7f}é";
    let error = std::io::Error::other(hostile);
    let cause: &dyn std::error::Error = &error;
    let body = || tracing::warn!(value = hostile, debug = ?hostile, cause, yes = true, "at {hostile}");
    let text = log_of(LogFormat::Json, "info", body);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((line["value"].as_str(), line["cause"].as_str()), (Some(hostile), Some(hostile)));
    assert_eq!((line["yes"].as_bool(), line["message"].as_str()), (Some(true), Some(&*format!("at {hostile}"))));
    let text = log_of(LogFormat::Text, "info", body);
    assert!(text.matches('\n').count() == 1 && text.contains(" WARN ") && text.contains("yes=true"), "{text}");
}

#[test]
fn audit_events_are_written_at_every_level() {
    let subject = Subject::Account { id: AccountId(uuid::Uuid::nil()), email: "ada@example.com".to_owned() };
    let text = log_of(LogFormat::Json, "off", || {
        access().record();
        tracing::error!("not this");
        let token_id = TokenId(uuid::Uuid::max());
        let request = GrantRequest {
            client_id: "difyctl".to_owned(),
            device_label: "laptop".to_owned(),
            created_ip: CLIENT.0,
            user_agent: None,
            seal_key: [0; 32],
        };
        AuditEvent::DeviceFlowApproved {
            subject: &subject,
            request: &request,
            rotated: true,
            expires_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            token_id,
        }
        .record();
        AuditEvent::DeviceFlowRejected { reason: "mint_policy_violation", subject: None, request: None }.record();
    });
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    let mut approved = lines[0].clone();
    approved.as_object_mut().unwrap().remove("ts");
    let expected = serde_json::json!({
        "level": "INFO", "target": "audit", "event": "oauth.device_flow_approved", "outcome": "success",
        "subject_email": "ada@example.com", "account_id": "00000000-0000-0000-0000-000000000000", "subject_issuer": "dify:account", "client_id": "difyctl",
        "device_label": "laptop", "device_ip": "1.2.3.4", "scopes": "full", "subject_type": "account", "rotated": true,
        "expires_at": "2027-01-15T08:00:00Z", "token_id": "ffffffff-ffff-ffff-ffff-ffffffffffff",
    });
    assert_eq!(approved, expected);
    assert_eq!(lines[1]["outcome"], "failure");
    // Absent fields are omitted.
    assert!(lines[1].get("subject_email").is_none());
}

#[test]
fn debug_events_of_libraries_are_written_only_when_they_are_named() {
    let body = || {
        tracing::debug!(target: "sqlx::query", "event of a library");
        tracing::debug!(target: "dify_openapi", "event of the service");
    };
    let text = log_of(LogFormat::Text, "debug", body);
    assert!(text.contains("event of the service") && !text.contains("event of a library"), "{text}");
    let text = log_of(LogFormat::Text, "debug,sqlx=debug", body);
    assert!(text.contains("event of a library"), "{text}");
}

#[test]
fn tokens_in_values_are_redacted() {
    let body = "A_-bcdefghijklmnopqrstuvwxyz0123456789ABCDE0";
    assert_eq!(body.len(), 44);
    for prefix in ["dfoa_", "dfoe_", "dc_"] {
        let text = format!("label {prefix}{body} and {prefix}{body}.");
        assert_eq!(redact::scrub(&text), format!("label {prefix}*** and {prefix}***."));
    }
    for harmless in
        ["dfoa_ab2f", "abc_1234567890123456789012345678901234567890", "dc_short_and_then_a_long_text_follows"]
    {
        let expected = if harmless.starts_with("dc_") { "dc_***" } else { harmless };
        assert_eq!(redact::scrub(harmless), expected);
    }
    let text = log_of(LogFormat::Json, "info", || tracing::info!("saw dfoa_{body}"));
    assert!(!text.contains(body), "{text}");
}

#[test]
fn metrics_are_rendered_for_prometheus() {
    let (metrics, _meters) = metrics::start(None, &Arc::default()).unwrap();
    let in_flight = metrics.requests.begin();
    let not_found = Outcome::complete(404, None);
    let time = Duration::from_millis(3);
    metrics.requests.record("GET", "/openapi/v1/account", Door::Json, not_found, time, None);
    let unavailable = Outcome::complete(200, Some("UNAVAILABLE"));
    metrics.requests.record("POST", "/dify.openapi.v1.MetaService/GetHealth", Door::Grpc, unavailable, time, None);
    metrics.rate_limited(LimitName::Token);
    metrics.cache(CacheOutcome::Hit);
    metrics.minted(SubjectType::Account);
    metrics.revoked(RevokeReason::Rotated, 2);
    metrics.expired();
    metrics.login_failed(true);
    let text = metrics.render(MetricsFormat::Prometheus).unwrap();
    for (name, labels) in [
        (
            "http_server_request_duration_seconds_bucket",
            &["http_request_method=\"GET\"", "http_response_status_code=\"404\"", "http_route=\"/openapi/v1/account\""]
                [..],
        ),
        (
            "rpc_server_call_duration_seconds_bucket",
            &[
                "error_type=\"UNAVAILABLE\"",
                "rpc_method=\"dify.openapi.v1.MetaService/GetHealth\"",
                "rpc_response_status_code=\"UNAVAILABLE\"",
                "rpc_system_name=\"grpc\"",
            ],
        ),
        ("http_server_active_requests", &[]),
        ("openapi_rate_limited_total", &["limit=\"token\""]),
        ("openapi_token_cache_total", &["outcome=\"hit\""]),
        ("openapi_tokens_minted_total", &["subject_type=\"account\""]),
        ("openapi_tokens_revoked_total", &["reason=\"rotated\""]),
        ("openapi_tokens_expired_total", &[]),
        ("openapi_login_failures_total", &["locked=\"true\""]),
    ] {
        let mut lines = text.lines().filter(|line| line.starts_with(name));
        assert!(lines.any(|line| labels.iter().all(|label| line.contains(label))), "{name} {labels:?} in\n{text}");
    }
    assert!(text.contains("le=\"0.0025\""));
    let active = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("http_server_active_requests")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(active(&text), "1");
    drop(in_flight);
    assert_eq!(active(&metrics.render(MetricsFormat::Prometheus).unwrap()), "0");
}

#[test]
fn servers_in_one_process_have_separate_metrics() {
    let install =
        || Telemetry::install(&TelemetryConfig::default(), Output::Writer(Box::new(Capture::default()))).unwrap();
    let (first, second) = (install(), install());
    first.metrics.expired();
    let expired = |telemetry: &Telemetry| {
        let text = telemetry.metrics.render(MetricsFormat::Prometheus).unwrap();
        text.lines().find(|line| line.starts_with("openapi_tokens_expired_total")).unwrap().to_owned()
    };
    assert!(expired(&first).ends_with(" 1"));
    assert!(expired(&second).ends_with(" 0"));
    first.shutdown(Duration::from_secs(5));
    second.shutdown(Duration::from_secs(5));
}

fn traced(headers: &HeaderMap, is_trusted: bool) -> TracedRequest<'_> {
    TracedRequest { method: "GET", door: Door::Json, headers, is_trusted, id: "01" }
}

#[test]
fn trusted_trace_context_is_continued_and_other_is_linked() {
    let tracers = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(tracers.tracer("test"));
    with_default(tracing_subscriber::registry().with(layer), || {
        let mut headers = HeaderMap::new();
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", parent.parse().unwrap());
        for is_trusted in [true, false] {
            let span = trace::request_span(traced(&headers, is_trusted));
            let mut out = HeaderMap::new();
            trace::inject(&span, &mut out);
            let sent = out["traceparent"].to_str().unwrap();
            assert!(sent != parent, "{sent}");
            assert_eq!(sent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), is_trusted, "{sent}");
            assert!(opentelemetry::trace::TraceContextExt::has_active_span(&span.context()));
        }
    });
}

#[test]
fn request_that_is_not_sampled_has_a_place_and_no_span() {
    let ratio = Sampler::TraceIdRatioBased(0.5);
    let ids = SampledIds::default();
    let tracers = SdkTracerProvider::builder().with_sampler(ratio.clone()).with_id_generator(ids).build();
    let layer = tracing_opentelemetry::layer().with_tracer(tracers.tracer("test"));
    with_default(tracing_subscriber::registry().with(layer), || {
        let begin =
            |sampler: &Sampler, headers: &HeaderMap, is_trusted| trace::sampled(sampler, traced(headers, is_trusted));
        let mut exported = 0;
        for _ in 0..200 {
            // The SDK decides by the same id.
            let (span, place) = begin(&ratio, &HeaderMap::new(), false);
            assert!(place.is_valid());
            assert_eq!(place.is_sampled(), !span.is_none());
            exported += u32::from(place.is_sampled());
        }
        assert!((50..150).contains(&exported), "{exported}");
        // The decision of a trusted caller, about its trace.
        let follows = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00".parse().unwrap());
        for is_trusted in [true, false] {
            let place = begin(&follows, &headers, is_trusted).1;
            assert_eq!(place.trace_id().to_string() == "0af7651916cd43dd8448eb211c80319c", is_trusted);
            assert!(!is_trusted || !place.is_sampled());
        }
    });
}

#[test]
fn sampled_flag_of_an_untrusted_peer_does_not_decide() {
    let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
    let tracers = SdkTracerProvider::builder().with_sampler(sampler).build();
    let layer = tracing_opentelemetry::layer().with_tracer(tracers.tracer("test"));
    with_default(tracing_subscriber::registry().with(layer), || {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
        for is_trusted in [true, false] {
            let span = trace::request_span(traced(&headers, is_trusted));
            let mut out = HeaderMap::new();
            trace::inject(&span, &mut out);
            let is_sampled = out.get("traceparent").is_some_and(|sent| sent.as_bytes().ends_with(b"-01"));
            assert_eq!(is_sampled, is_trusted);
        }
    });
}
