//! Every run is audited once, over JSON and gRPC.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    logs::Logs,
    runs::{blocking, over_grpc, prompt_app, streamed},
    server::OWNER,
};

on_every_database!(each_run_is_audited_once_and_rejected_requests_are_not);

async fn each_run_is_audited_once_and_rejected_requests_are_not(stores: Stores) {
    let server = TestServer::start(stores).await;
    let logs = Logs::capture();
    let workspace = apps::shared_workspace(&server).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let audited = || logs.matching(&["audit", "app.run.openapi", &format!("app_id={app}")]);
    let body = |mode: &str| json!({"inputs": {"name": "Ann"}, "query": "hi", "response_mode": mode});

    assert_eq!(blocking(&bearer, &app, json!({"inputs": {}, "query": "hi"})).await.status, 422);
    over_grpc(&server, &bearer, &app, &json!({"inputs": {"name": "Ann"}})).await.unwrap_err();
    // The runtime does not know the conversation.
    let mut refused = body("blocking");
    refused["conversation_id"] = json!("0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55");
    assert_eq!(blocking(&bearer, &app, refused).await.status, 404);
    assert_eq!(audited(), Vec::<String>::new());

    let answer = blocking(&bearer, &app, body("blocking")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(audited().len(), 1);
    streamed(&bearer, &app, body("streaming")).await;
    assert_eq!(audited().len(), 2);
    over_grpc(&server, &bearer, &app, &body("streaming")).await.unwrap();
    over_grpc(&server, &bearer, &app, &body("blocking")).await.unwrap();
    let token = &bearer.token_id;
    let events = audited();
    let ids: Vec<_> = events.iter().map(|event| event.split('"').nth(5).unwrap()).collect();
    for (event, id) in events.iter().zip(&ids) {
        let begin = format!(
            "INFO audit event=\"app.run.openapi\" outcome=\"success\" request_id=\"{id}\" client=127.0.0.1 \
             peer=127.0.0.1 "
        );
        let end = format!(
            " app_id={app} tenant_id={workspace} subject=\"{OWNER}\" surface=\"apps\" source=\"oauth_account\" \
             token_id={token}"
        );
        assert!(event.starts_with(&begin) && event.ends_with(&end), "{event}");
    }
    assert_eq!(ids[0], answer.header("x-request-id"));
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "each has the id of its own request");
    assert_runs_are_counted(&server).await;
}

/// Checks the metrics: four runs have succeeded, three were refused, and none is active.
async fn assert_runs_are_counted(server: &TestServer) {
    let metrics = Answer::to(reqwest::Client::new().get(server.admin("/metrics"))).await.text;
    let value = |name: &str, label: &str| -> f64 {
        let of_series = |line: &&str| line.starts_with(&format!("{name}{{mode=\"chat\"")) && line.contains(label);
        metrics
            .lines()
            .find(of_series)
            .unwrap_or_else(|| panic!("{name} {label} in\n{metrics}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    for (outcome, count) in [("succeeded", 4.0), ("refused", 3.0), ("failed", 0.0), ("abandoned", 0.0)] {
        let label = format!("outcome=\"{outcome}\"");
        assert!((value("openapi_runs_total", &label) - count).abs() < 0.1, "{outcome} in\n{metrics}");
    }
    assert!(value("openapi_runs_active", "").abs() < 0.1, "{metrics}");
}
