//! Every run is audited once, over JSON and gRPC.

use serde_json::json;

use crate::support::{
    Bearer, Stores, TestServer, apps,
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
    let audited = || logs.matching(&["audit", "app.run.openapi", &format!("app_id=\"{app}\"")]);
    let body = |mode: &str| json!({"inputs": {"name": "Ann"}, "query": "hi", "response_mode": mode});

    assert_eq!(blocking(&bearer, &app, json!({"inputs": {}, "query": "hi"})).await.status, 422);
    over_grpc(&server, &bearer, &app, &json!({"inputs": {"name": "Ann"}})).await.unwrap_err();
    assert_eq!(audited(), Vec::<String>::new());

    assert_eq!(blocking(&bearer, &app, body("blocking")).await.status, 200);
    assert_eq!(audited().len(), 1);
    streamed(&bearer, &app, body("streaming")).await;
    assert_eq!(audited().len(), 2);
    over_grpc(&server, &bearer, &app, &body("streaming")).await.unwrap();
    over_grpc(&server, &bearer, &app, &body("blocking")).await.unwrap();
    let token = &bearer.token_id;
    let expected = format!(
        "INFO audit event=\"app.run.openapi\" app_id=\"{app}\" tenant_id={workspace} subject=\"{OWNER}\" \
         surface=\"apps\" source=\"oauth_account\" token_id={token}"
    );
    assert_eq!(audited(), vec![expected; 4]);
}
