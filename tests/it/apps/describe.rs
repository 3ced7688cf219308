//! `GET /apps/{id}/describe` and `AppService.DescribeApp`.

use dify_openapi::testing::rpc::proto::DescribeAppRequest;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps, database,
    grpc::{Clients, channel, reason, with_bearer},
    server::{MEMBER, OWNER},
};

async fn describe(bearer: &Bearer, rest: &str) -> Answer {
    Answer::to(bearer.request(Method::GET, &format!("/openapi/v1/apps/{rest}"))).await
}

/// A graph whose form has one variable of each kind.
fn every_kind() -> Value {
    apps::form_graph(&json!([
        {"variable": "line", "label": "A line", "type": "text-input", "required": true, "max_length": 48},
        {"variable": "text", "type": "paragraph", "required": false, "max_length": 0},
        {"variable": "choice", "label": "A choice", "type": "select", "required": true, "options": ["it's", "a\\b"]},
        {"variable": "number", "label": "A number", "type": "number", "default": 3},
        {"variable": "flag", "label": "A flag", "type": "checkbox"},
        {"variable": "file", "label": "A file", "type": "file", "required": true},
        {"variable": "files", "label": "Files", "type": "file-list", "max_length": 5},
        {"variable": "object", "label": "An object", "type": "json_object"},
    ]))
}

on_every_database!(
    described_app_is_the_same_over_json_and_grpc,
    form_variables_survive_the_grpc_struct,
    blocks_that_fields_omits_are_null,
    is_agent_follows_mode_and_agent_settings,
    unpublished_apps_have_empty_blocks,
    app_is_found_by_name_and_ambiguous_names_return_409,
    inaccessible_apps_are_indistinguishable_from_missing_ones,
    strict_workspace_setting_requires_workspace_id
);

async fn described_app_is_the_same_over_json_and_grpc(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    let app = apps::insert(&server, &workspace, "Flow", "advanced-chat", 1).await;
    apps::publish(&server, &app, &every_kind(), &json!({"opening_statement": "Hello"})).await;
    apps::tag(&server, &workspace, "prod", &[&app]).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let answer = describe(&bearer, &format!("{app}/describe")).await;
    assert_eq!((answer.status, &answer.json()["info"]["id"]), (200, &json!(app)), "{}", answer.text);
    let by_name = describe(&bearer, &format!("Flow/describe?workspace_id={workspace}")).await;
    assert_eq!(by_name.text, answer.text);
    // Every database has a test module of its own; all share one snapshot.
    insta::with_settings!({prepend_module_to_snapshot => false}, {
        insta::allow_duplicates! { insta::assert_json_snapshot!("described_app", answer.redacted()) }
    });

    let mut clients = Clients::on(channel(&server).await);
    for (id, workspace_id, fields) in [
        (app.as_str(), None, &[][..]),
        ("Flow", Some(&workspace), &[]),
        (&app, None, &["info"]),
        (&app, Some(&workspace), &["input_schema", "parameters"]),
    ] {
        let request = DescribeAppRequest {
            id: id.to_owned(),
            workspace_id: workspace_id.cloned(),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        };
        let described = clients.app.describe_app(with_bearer(request, &bearer.token)).await.unwrap().into_inner();
        let described = serde_json::to_value(&described).unwrap();
        let over_json = describe(&bearer, &format!("{app}/describe?fields={}", fields.join(","))).await.json();
        assert_eq!(described, over_json, "JSON and gRPC differ for {fields:?}");
        if fields.is_empty() {
            assert_eq!(described, answer.json(), "equals the snapshot");
            assert!(described["parameters"].is_object() && described["input_schema"].is_object());
        }
    }
}

async fn form_variables_survive_the_grpc_struct(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    let app = apps::insert(&server, &workspace, "Flow", "workflow", 1).await;
    let odd = json!({"variable": "odd", "label": "é 🦜", "type": "json_object", "required": null, "default": null,
        "json_schema": {"properties": {"n": {"minimum": -2.5, "maximum": 9_007_199_254_740_991_i64,
            "enum": [1, "1", null, [], {}]}}}});
    apps::publish(&server, &app, &apps::form_graph(&json!([odd])), &json!({"file_upload": {"enabled": false}})).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let over_json = describe(&bearer, &format!("{app}/describe")).await.json();
    assert_eq!(over_json["parameters"]["user_input_form"], json!([{"json_object": odd}]), "as it is stored");
    let mut clients = Clients::on(channel(&server).await);
    let request = DescribeAppRequest { id: app, ..Default::default() };
    let described = clients.app.describe_app(with_bearer(request, &bearer.token)).await.unwrap().into_inner();
    assert_eq!(serde_json::to_value(&described).unwrap(), over_json, "JSON and gRPC differ");
}

async fn blocks_that_fields_omits_are_null(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    let app = apps::insert(&server, &workspace, "Flow", "workflow", 1).await;
    apps::publish(&server, &app, &every_kind(), &json!({})).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for (fields, expected) in [
        ("", [true, true, true]),
        ("info", [true, false, false]),
        ("parameters", [false, true, false]),
        ("input_schema,info", [true, false, true]),
    ] {
        let body = describe(&bearer, &format!("{app}/describe?fields={fields}")).await.json();
        let found = ["info", "parameters", "input_schema"].map(|block| body[block].is_object());
        assert_eq!(found, expected, "{fields}: {body}");
        assert_eq!(body.as_object().unwrap().len(), 3);
    }
    for query in ["fields=secrets", "fields=info,secrets", "unheard_of=1"] {
        let answer = describe(&bearer, &format!("{app}/describe?{query}")).await;
        assert_eq!(answer.outcome(), (422, "invalid_param".to_owned()), "{query}");
    }
}

async fn is_agent_follows_mode_and_agent_settings(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for (mode, agent_mode, expected) in [
        ("agent-chat", json!({"enabled": false}), true),
        ("chat", json!({"enabled": true}), true),
        ("chat", json!({"enabled": false}), false),
        ("chat", json!("no JSON"), false),
        ("completion", json!({"enabled": true}), false),
    ] {
        let app = apps::insert(&server, &workspace, "App", mode, 1).await;
        apps::configure(&server, &app, &[("agent_mode", agent_mode.clone())]).await;
        let body = describe(&bearer, &format!("{app}/describe?fields=info")).await.json();
        assert_eq!(body["info"]["is_agent"], expected, "{mode} {agent_mode}");
    }
}

async fn unpublished_apps_have_empty_blocks(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for mode in ["chat", "agent-chat", "completion", "advanced-chat", "workflow", "channel", "rag-pipeline"] {
        let app = apps::insert(&server, &workspace, mode, mode, 1).await;
        apps::set(&server, &app, "workflow_id = '00000000-0000-0000-0000-000000000001'").await;
        let answer = describe(&bearer, &format!("{app}/describe")).await;
        let mut body = answer.json();
        assert_eq!((answer.status, body["info"]["mode"].take()), (200, json!(mode)), "{}", answer.text);
        assert_eq!(body["parameters"]["user_input_form"], json!([]), "{mode}");
        assert_eq!(body["input_schema"]["properties"], json!({}), "{mode}");
    }
}

async fn app_is_found_by_name_and_ambiguous_names_return_409(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let one = apps::insert(&server, &workspace, "Twin", "chat", 1).await;
    let at = |name: &str| format!("{name}/describe?workspace_id={workspace}&fields=info");
    assert_eq!(describe(&bearer, &at("Twin")).await.json()["info"]["id"], one);
    let hidden = apps::insert(&server, &workspace, "Twin", "chat", 1).await;
    apps::set(&server, &hidden, "enable_api = FALSE").await;
    assert_eq!(describe(&bearer, &at("Twin")).await.json()["info"]["id"], one);
    let other = apps::insert(&server, &workspace, "Twin", "workflow", 1_000).await;
    let answer = describe(&bearer, &at("Twin")).await;
    assert_eq!(answer.outcome(), (409, "ambiguous_app_name".to_owned()));
    let body = answer.json();
    let listed: Vec<_> = body["details"].as_array().unwrap().iter().map(|detail| &detail["msg"]).collect();
    assert_eq!(listed, [&json!(format!("{one} (chat)")), &json!(format!("{other} (workflow)"))]);
    for name in ["twin", "Twi", "%25", "Twin%20", "Tw%00in", "%2e%2e", "no-such"] {
        assert_eq!(describe(&bearer, &at(name)).await.outcome(), (404, "not_found".to_owned()), "{name}");
    }
    let odd = apps::insert(&server, &workspace, "a/b?c#d é", "chat", 1).await;
    assert_eq!(describe(&bearer, &at("a%2Fb%3Fc%23d%20%C3%A9")).await.json()["info"]["id"], odd);
    for rest in ["Twin/describe", "Twin/describe?workspace_id=", "no-such/describe"] {
        let answer = describe(&bearer, rest).await;
        assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{rest}");
        let message = "App not found by this id. To look it up by name, pass workspace_id.";
        assert_eq!(answer.json()["message"], message, "{rest}");
    }
}

async fn inaccessible_apps_are_indistinguishable_from_missing_ones(stores: Stores) {
    let server = TestServer::start(stores).await;
    let shared = apps::shared_workspace(&server).await;
    let foreign = apps::workspace(&server, "Second Workspace").await;
    let secret = apps::insert(&server, &foreign, "Secret", "chat", 1).await;
    let ours = apps::insert(&server, &shared, "Ours", "chat", 1).await;
    let off = apps::insert(&server, &shared, "Off", "chat", 1).await;
    apps::set(&server, &off, "enable_api = FALSE").await;
    let old = apps::insert(&server, &shared, "Old", "chat", 1).await;
    apps::set(&server, &old, "status = 'archived'").await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    assert_eq!(describe(&bearer, &format!("{ours}/describe?workspace_id={shared}")).await.status, 200);
    let unknown = "00000000-0000-0000-0000-000000000000".to_owned();
    let mut answers = Vec::new();
    for rest in [
        format!("{secret}/describe"),
        format!("{unknown}/describe"),
        format!("{off}/describe"),
        format!("{old}/describe"),
        format!("{secret}/describe?workspace_id={shared}"),
        format!("{unknown}/describe?workspace_id={shared}"),
        format!("Off/describe?workspace_id={shared}"),
        format!("Secret/describe?workspace_id={shared}"),
    ] {
        let answer = describe(&bearer, &rest).await;
        assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{rest}");
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the errors are equal: {answers:?}");
    // The response does not reveal whether a name exists in a workspace of others.
    apps::insert(&server, &foreign, "Twin", "chat", 1).await;
    apps::insert(&server, &foreign, "Twin", "chat", 1).await;
    let mut answers = Vec::new();
    for (app, workspace) in [
        ("Secret", &foreign),
        ("Nothing", &foreign),
        ("Twin", &foreign),
        (&secret, &foreign),
        (&ours, &foreign),
        ("Ours", &unknown),
        ("Ours", &"no-uuid".to_owned()),
    ] {
        let answer = describe(&bearer, &format!("{app}/describe?workspace_id={workspace}")).await;
        assert_eq!(answer.outcome(), (403, "workspace_membership_revoked".to_owned()), "{app} in {workspace}");
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the errors are equal: {answers:?}");
    let mut clients = Clients::on(channel(&server).await);
    let request = DescribeAppRequest { id: secret, ..Default::default() };
    let refused = clients.app.describe_app(with_bearer(request, &bearer.token)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (tonic::Code::NotFound, "not_found"));
    let member = database::account_id(&server, MEMBER).await;
    database::execute(&server, &format!("UPDATE accounts SET status = 'closed' WHERE id = '{member}'")).await;
    for rest in [
        format!("{ours}/describe"),
        format!("Ours/describe?workspace_id={shared}"),
        "x/describe?workspace_id=y".to_owned(),
        "x/describe".to_owned(),
    ] {
        assert_eq!(describe(&bearer, &rest).await.outcome(), (401, "bearer_invalid".to_owned()), "{rest}");
    }
}

async fn strict_workspace_setting_requires_workspace_id(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_STRICT_WORKSPACE_ID", "true")]).await;
    let workspace = apps::shared_workspace(&server).await;
    let app = apps::insert(&server, &workspace, "Ours", "chat", 1).await;
    apps::configure(&server, &app, &[]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let run = |body: Value| bearer.request(Method::POST, &format!("/openapi/v1/apps/{app}/run")).json(&body);
    for target in [app.as_str(), "Ours", "no-such"] {
        let answer = describe(&bearer, &format!("{target}/describe")).await;
        assert_eq!(answer.outcome(), (422, "workspace_id_required".to_owned()), "{target}");
    }
    assert_eq!(Answer::to(run(json!({"inputs": {}, "query": "Hi"}))).await.code(), "workspace_id_required");
    assert_eq!(describe(&bearer, &format!("{app}/describe?workspace_id={workspace}")).await.status, 200);
    let named = Answer::to(run(json!({"inputs": {}, "workspace_id": workspace}))).await;
    assert_eq!(named.code(), "query_required_for_chat", "the next check");
}
