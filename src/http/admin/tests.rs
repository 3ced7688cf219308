use axum::body::{Body, to_bytes};
use tower::ServiceExt as _;

use super::*;
use crate::{
    config::telemetry::TelemetryConfig,
    telemetry::{Output, Telemetry, sink::Capture},
};

async fn get(router: &Router, path: &str) -> (u16, String) {
    let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn readiness_follows_the_checks_until_draining() {
    let telemetry =
        Telemetry::install(&TelemetryConfig::default(), Output::Writer(Box::new(Capture::default()))).unwrap();
    for (health, status) in [(Health::Ok, 200), (Health::Degraded, 200), (Health::Failed, 503)] {
        let readiness = Readiness::new(Arc::clone(&telemetry.metrics), move || async move {
            vec![Check { name: "state", health, error: None }]
        });
        let router = router(readiness.clone(), Arc::clone(&telemetry.metrics));
        let (actual, body) = get(&router, "/readyz").await;
        assert_eq!(actual, status, "{body}");
        readiness.drain();
        assert_eq!(get(&router, "/readyz").await.0, 503);
        assert_eq!(get(&router, "/livez").await, (200, "ok\n".to_owned()));
        assert_eq!(get(&router, "/metrics").await.0, 200);
    }
    let checks = || async { vec![Check { name: "sql", health: Health::Failed, error: None }] };
    let readiness = Readiness::new(Arc::clone(&telemetry.metrics), checks);
    let (_, body) = get(&router(readiness, telemetry.metrics), "/readyz").await;
    assert_eq!(body, r#"{"ready":false,"draining":false,"checks":[{"name":"sql","health":"failed"}]}"#);
}

#[test]
fn metrics_are_openmetrics_where_the_scraper_prefers_it() {
    for (accept, expected) in [
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", "OpenMetrics"),
        ("Application/OpenMetrics-Text", "OpenMetrics"),
        ("text/plain, application/openmetrics-text;q=0.9", "Prometheus"),
        ("application/openmetrics-text;q=0, */*", "Prometheus"),
        ("*/*", "Prometheus"),
        ("", "Prometheus"),
    ] {
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        assert_eq!(format!("{:?}", accepted_format(&headers)), expected, "{accept}");
    }
}
