//! The bodies of blocking runs, and conversations that continue.

use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer,
    answer::redact,
    apps, database,
    grpc::reason,
    logs::Logs,
    runs::{answer, blocking, end, end_user_id, graph_app, greeting, lines, over_grpc, prompt_app, request, streamed},
    server::{MEMBER, OWNER},
};

on_every_database!(
    conversation_continues_for_its_account_only,
    blocking_workflow_returns_its_result,
    blocking_advanced_chat_returns_its_answer,
    failed_graph_returns_502_and_logs_the_cause,
    accept_header_selects_the_default_response_mode,
    user_member_of_the_body_is_ignored,
    app_is_run_by_its_exact_name
);

async fn app_is_run_by_its_exact_name(stores: Stores) {
    let server = TestServer::start(stores).await;
    prompt_app(&server, "chat").await;
    let workspace = apps::shared_workspace(&server).await;
    let body = |workspace: Option<&str>| json!({"inputs": {"name": "Ann"}, "query": "hi", "workspace_id": workspace});
    // The owner has two workspaces, the member one.
    let owner = Bearer::sign_in(&server, OWNER, "laptop").await;
    let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
    assert_eq!(blocking(&owner, "chat", body(Some(&workspace))).await.status, 200);
    assert_eq!(blocking(&member, "chat", body(None)).await.status, 200);
    let unknown = blocking(&owner, "chat", body(None)).await;
    assert_eq!(unknown.outcome(), (404, "not_found".to_owned()));
    assert!(unknown.text.contains("pass workspace_id"), "{}", unknown.text);
    assert_eq!(blocking(&member, "chart", body(None)).await.outcome(), (404, "not_found".to_owned()));
    prompt_app(&server, "chat").await;
    assert_eq!(blocking(&member, "chat", body(None)).await.outcome(), (409, "ambiguous_app_name".to_owned()));
}

async fn conversation_continues_for_its_account_only(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let body = json!({"inputs": {"name": "Ann"}, "query": "Reply exactly: Good morning"});
    let first = blocking(&bearer, &app, body.clone()).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_lines!(lines(&[first.json()]), "conversation_continues_for_its_account_only");

    let again =
        |conversation: &Value| json!({"inputs": {"name": "Ann"}, "query": "and now?", "conversation_id": conversation});
    let conversation = first.json()["conversation_id"].clone();
    let second = blocking(&bearer, &app, again(&conversation)).await;
    assert_eq!((second.status, &second.json()["conversation_id"]), (200, &conversation), "{}", second.text);

    let other = Bearer::sign_in(&server, MEMBER, "laptop").await;
    assert_eq!(blocking(&other, &app, again(&conversation)).await.outcome(), (404, "not_found".to_owned()));
    let other_app = prompt_app(&server, "chat").await;
    assert_eq!(blocking(&bearer, &other_app, again(&conversation)).await.outcome(), (404, "not_found".to_owned()));
    let unknown = json!("0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55");
    assert_eq!(blocking(&bearer, &app, again(&unknown)).await.outcome(), (404, "not_found".to_owned()));
}

async fn blocking_workflow_returns_its_result(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = graph_app(&server, "workflow", &[greeting(), end()]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let body = json!({"inputs": {"name": "Ann"}, "response_mode": "blocking"});
    let response = Answer::to(request(&bearer, &app, &body)).await;
    assert_lines!(lines(&[response.json()]), "blocking_workflow_returns_its_result");
    let over_grpc = over_grpc(&server, &bearer, &app, &body).await.unwrap();
    assert_eq!(over_grpc.len(), 1);
    assert_eq!(redact(over_grpc[0]["data"]["outputs"].clone()), json!({"text": "Hello Ann"}));
}

async fn blocking_advanced_chat_returns_its_answer(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = graph_app(&server, "advanced-chat", &[greeting(), answer()]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let response = blocking(&bearer, &app, json!({"inputs": {"name": "Ann"}, "query": "hi"})).await;
    assert_lines!(lines(&[response.json()]), "blocking_advanced_chat_returns_its_answer");
}

async fn failed_graph_returns_502_and_logs_the_cause(stores: Stores) {
    let server = TestServer::start(stores).await;
    let logs = Logs::capture();
    let broken = json!({"id": "greet", "data": {"type": "template-transform", "title": "Greet",
        "template": "{{ 1 // 0 }}", "variables": []}});
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let app = graph_app(&server, "advanced-chat", &[broken.clone(), answer()]).await;
    let body = json!({"inputs": {"name": "Ann"}, "query": "hi", "response_mode": "blocking"});
    let refusal = Answer::to(request(&bearer, &app, &body)).await;
    assert_eq!(refusal.outcome(), (502, "upstream_error".to_owned()));
    assert_eq!(refusal.json()["message"], "The app's run failed.");
    assert!(refusal.json()["hint"].as_str().unwrap().contains("response_mode: streaming"), "{}", refusal.text);
    let why = logs.matching(&["failed upstream", refusal.header("x-request-id"), "division by zero"]);
    assert_eq!(why.len(), 1, "{why:?}");
    let status = over_grpc(&server, &bearer, &app, &body).await.unwrap_err();
    assert_eq!((reason(&status).as_str(), status.message()), ("upstream_error", "The app's run failed."));
    // The body of a workflow has a member for the error.
    let workflow = graph_app(&server, "workflow", &[broken, end()]).await;
    let failed = blocking(&bearer, &workflow, json!({"inputs": {"name": "Ann"}})).await;
    assert_eq!((failed.status, &failed.json()["data"]["status"]), (200, &json!("failed")));
    assert!(failed.json()["data"]["error"].as_str().unwrap().contains("division by zero"), "{}", failed.text);
}

async fn accept_header_selects_the_default_response_mode(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = prompt_app(&server, "completion").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let body = json!({"inputs": {"name": "Ann"}});
    for (accept, kind) in [("*/*", "application/json"), ("text/event-stream", "text/event-stream")] {
        let answer = Answer::to(request(&bearer, &app, &body).header("accept", accept)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{accept}");
    }
}

async fn user_member_of_the_body_is_ignored(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let user = end_user_id(&database::account_id(&server, OWNER).await);
    let workflow = graph_app(&server, "workflow", &[greeting(), end()]).await;
    let (chat, completion) = (prompt_app(&server, "chat").await, prompt_app(&server, "completion").await);
    for (app, query) in [(&chat, Some("hi")), (&completion, None), (&workflow, None)] {
        for claimed in [None, Some(json!("somebody else")), Some(json!({"id": 7}))] {
            let mut body = json!({"inputs": {"name": "Ann"}});
            if let Some(query) = query {
                body["query"] = json!(query);
            }
            if let Some(claimed) = claimed {
                body["user"] = claimed;
            }
            assert_eq!(blocking(&bearer, app, body.clone()).await.status, 200);
            let events = streamed(&bearer, app, body).await;
            if app == &workflow {
                assert_eq!(events[0]["data"]["inputs"]["sys.user_id"], user);
                assert_eq!(events.last().unwrap()["data"]["created_by"]["user"], user);
            }
        }
        let of_app = format!("end_users WHERE app_id = '{app}'");
        assert_eq!(database::count(&server, &of_app).await, 1, "one end user per caller");
        let session = database::text(&server, &format!("SELECT session_id FROM {of_app}")).await;
        assert_eq!(session.as_deref(), Some(user.as_str()));
    }
}
