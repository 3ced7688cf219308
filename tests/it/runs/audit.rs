//! Every run is in the audit trail, once, whichever door it came through.

use serde_json::json;

use crate::support::{
    Bearer, Stores, TestServer, apps,
    logs::Logs,
    runs::{blocking, over_grpc, prompt_app, streamed},
    server::OWNER,
};

on_every_database!(a_run_is_told_once_and_a_refusal_is_no_run);

async fn a_run_is_told_once_and_a_refusal_is_no_run(stores: Stores) {
    let server = TestServer::start(stores).await;
    let logs = Logs::listen();
    let workspace = apps::shared_workspace(&server).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let told = || logs.about(&["audit", "app.run.openapi", &format!("app_id=\"{app}\"")]);
    let body = |mode: &str| json!({"inputs": {"name": "Ann"}, "query": "hi", "response_mode": mode});

    assert_eq!(blocking(&bearer, &app, json!({"inputs": {}, "query": "hi"})).await.status, 422);
    over_grpc(&server, &bearer, &app, &json!({"inputs": {"name": "Ann"}})).await.unwrap_err();
    assert_eq!(told(), Vec::<String>::new());

    assert_eq!(blocking(&bearer, &app, body("blocking")).await.status, 200);
    assert_eq!(told().len(), 1);
    streamed(&bearer, &app, body("streaming")).await;
    assert_eq!(told().len(), 2);
    over_grpc(&server, &bearer, &app, &body("streaming")).await.unwrap();
    over_grpc(&server, &bearer, &app, &body("blocking")).await.unwrap();
    let token = &bearer.token_id;
    let expected = format!(
        "INFO audit event=\"app.run.openapi\" app_id=\"{app}\" tenant_id={workspace} subject=\"{OWNER}\" surface=\"apps\" \
         source=\"oauth_account\" token_id={token}"
    );
    assert_eq!(told(), vec![expected; 4]);
}
