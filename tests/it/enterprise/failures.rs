//! An enterprise service that is slow, down or wrong: nothing is allowed by a failure, and nothing waits for long.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    enterprise_service::{Behaviour, EnterpriseService},
    server::MEMBER,
};

on_both_stores!(
    failing_service_closes_every_gate,
    silent_service_does_not_hold_requests,
    service_that_comes_back_is_asked_again
);

const APPS: &str = "/openapi/v1/apps";

struct Fixture {
    service: EnterpriseService,
    server: TestServer,
    bearer: Bearer,
    workspace: String,
    app: String,
}

impl Fixture {
    async fn new(stores: Stores) -> Self {
        let service = EnterpriseService::start().await;
        let server = TestServer::start_with(stores, &service.variables()).await;
        let workspace = apps::shared_workspace(&server).await;
        let app = apps::insert(&server, &workspace, "Chat", "chat", 1).await;
        service.set_mode(&app, "public");
        let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
        service.take_requests();
        Self { service, server, bearer, workspace, app }
    }

    /// The answers of listing, describing and running.
    async fn answers(&self) -> [Answer; 3] {
        let (app, workspace) = (&self.app, &self.workspace);
        let run = json!({"inputs": {}, "query": "Hi"});
        let (list, describe, run) = tokio::join!(
            Answer::to(self.bearer.request(Method::GET, &format!("{APPS}?workspace_id={workspace}"))),
            Answer::to(self.bearer.request(Method::GET, &format!("{APPS}/{app}/describe"))),
            Answer::to(self.bearer.request(Method::POST, &format!("{APPS}/{app}/run")).json(&run)),
        );
        [list, describe, run]
    }

    async fn assert_closed(&self, what: &str) {
        for answer in self.answers().await {
            assert_eq!(answer.outcome(), (503, "service_unavailable".to_owned()), "{what}");
            assert!(!answer.header("retry-after").is_empty(), "{what}");
            assert!(!answer.text.contains("secret detail"), "{what}: {}", answer.text);
        }
    }

    async fn assert_open(&self) {
        let [list, describe, run] = self.answers().await;
        assert_eq!((list.status, describe.status, run.code().as_str()), (200, 200, "app_unavailable"));
    }
}

async fn failing_service_closes_every_gate(stores: Stores) {
    let fixture = Fixture::new(stores).await;
    fixture.assert_open().await;
    let json_type = "application/json";
    let many = (0..10_000).map(|index| format!(r#","{index}":"public""#)).collect::<Vec<_>>().concat();
    for (what, status, content_type, body) in [
        ("an error", 500, json_type, r#"{"message":"secret detail"}"#.to_owned()),
        ("a missing route", 404, json_type, r#"{"detail":"secret detail"}"#.to_owned()),
        ("a wrong key", 401, json_type, r#"{"error":"secret detail"}"#.to_owned()),
        ("a page", 200, "text/html", "<html>secret detail</html>".to_owned()),
        ("no body", 200, json_type, String::new()),
        ("another status", 204, json_type, String::new()),
        ("a redirect", 302, json_type, "{}".to_owned()),
        ("wrong types", 200, json_type, r#"{"accessMode":7,"accessModes":["public"]}"#.to_owned()),
        ("a list", 200, json_type, r#"[{"accessMode":"public"}]"#.to_owned()),
        ("a long answer", 200, json_type, format!(r#"{{"accessMode":"public","x":"{}"}}"#, "x".repeat(5 << 20))),
        (
            "more rows than requested",
            200,
            json_type,
            format!(r#"{{"accessMode":["public"],"accessModes":{{"{}":"public"{many}}}}}"#, fixture.app),
        ),
    ] {
        fixture.service.behave(Behaviour::Fixed(status, content_type, body));
        fixture.assert_closed(what).await;
        // The circuit closes, so that the next answer is read as well.
        fixture.service.behave(Behaviour::Specified);
        fixture.server.advance(5);
        fixture.assert_closes_circuit().await;
    }
}

impl Fixture {
    /// Asks until the first request after a pause has closed the circuit.
    async fn assert_closes_circuit(&self) {
        for _ in 0..3 {
            let describe = self.bearer.request(Method::GET, &format!("{APPS}/{}/describe", self.app));
            if Answer::to(describe).await.status == 200 {
                return self.assert_open().await;
            }
            self.server.advance(5);
        }
        panic!("the circuit stays open");
    }
}

async fn silent_service_does_not_hold_requests(stores: Stores) {
    let fixture = Fixture::new(stores).await;
    fixture.service.behave(Behaviour::Silent);
    // The three requests share one request, so that each round has one failure.
    for _ in 0..5 {
        let began = Instant::now();
        fixture.assert_closed("silence").await;
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    }
    // After five failures the service is not called.
    fixture.service.take_requests();
    let began = Instant::now();
    fixture.assert_closed("silence").await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(fixture.service.take_requests().is_empty());
    let metrics = Answer::to(reqwest::Client::new().get(fixture.server.admin("/metrics"))).await.text;
    assert!(metrics.contains(r#"openapi_enterprise_circuit_open{otel_scope_name="dify-openapi"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"operation="access_mode",outcome="timed_out""#), "{metrics}");
}

async fn service_that_comes_back_is_asked_again(stores: Stores) {
    let fixture = Fixture::new(stores).await;
    fixture.service.behave(Behaviour::Fixed(503, "text/plain", "down".to_owned()));
    for _ in 0..3 {
        fixture.assert_closed("down").await;
    }
    fixture.service.behave(Behaviour::Specified);
    fixture.assert_closed("the circuit is open").await;
    fixture.server.advance(5);
    fixture.assert_closes_circuit().await;
}
