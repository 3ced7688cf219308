//! `GET /apps` and `AppService.ListApps`.

use dify_openapi::testing::rpc::proto::ListAppsRequest;
use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps, database,
    grpc::{Clients, channel, reason, with_bearer},
    server::{MEMBER, OWNER},
};

const APPS: &str = "/openapi/v1/apps";

async fn list(bearer: &Bearer, query: &str) -> Answer {
    Answer::to(bearer.request(Method::GET, &format!("{APPS}?{query}"))).await
}

async fn names(bearer: &Bearer, query: &str) -> Vec<String> {
    let answer = list(bearer, query).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let body = answer.json();
    let rows = body["data"].as_array().unwrap();
    rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

on_every_database!(
    app_list_is_the_same_over_json_and_grpc,
    list_filters_and_pages_include_only_callable_apps,
    out_of_range_list_parameters_return_422,
    app_list_of_a_workspace_that_was_not_joined_returns_403,
    leaving_a_workspace_ends_access_at_once
);

async fn app_list_is_the_same_over_json_and_grpc(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    let newest = apps::insert(&server, &workspace, "Translator", "completion", 10).await;
    let oldest = apps::insert(&server, &workspace, "Bare", "agent-chat", 1_000).await;
    apps::set(&server, &oldest, "created_by = NULL, description = ''").await;
    apps::tag(&server, &workspace, "prod", &[&newest]).await;
    apps::tag(&server, &workspace, "beta", &[&newest]).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let answer = list(&bearer, &format!("workspace_id={workspace}")).await;
    assert_eq!(answer.json()["data"][0]["workspace_id"], workspace);
    assert_wire!(answer.redacted(), @r#"
    {
      "data": [
        {
          "created_by_name": "Demo",
          "description": "What it is for",
          "id": "[uuid]",
          "mode": "completion",
          "name": "Translator",
          "tags": [
            {
              "name": "beta"
            },
            {
              "name": "prod"
            }
          ],
          "updated_at": "[time]",
          "workspace_id": "[uuid]",
          "workspace_name": "Demo Workspace"
        },
        {
          "created_by_name": null,
          "description": "",
          "id": "[uuid]",
          "mode": "agent-chat",
          "name": "Bare",
          "tags": [],
          "updated_at": "[time]",
          "workspace_id": "[uuid]",
          "workspace_name": "Demo Workspace"
        }
      ],
      "has_more": false,
      "limit": 20,
      "page": 1,
      "total": 2
    }
    "#);
    let mut clients = Clients::on(channel(&server).await);
    for (limit, rest) in [(None, ""), (Some(1), "&limit=1")] {
        let request = ListAppsRequest { workspace_id: Some(workspace.clone()), limit, ..Default::default() };
        let page = clients.app.list_apps(with_bearer(request, &bearer.token)).await.unwrap().into_inner();
        let over_json = list(&bearer, &format!("workspace_id={workspace}{rest}")).await.json();
        assert_eq!(serde_json::to_value(&page).unwrap(), over_json, "JSON and gRPC differ");
        assert_eq!((page.data[0].id.as_str(), page.has_more), (newest.as_str(), limit.is_some()));
    }
    let request = ListAppsRequest {
        workspace_id: Some(workspace.clone()),
        mode: Some("completion".to_owned()),
        name: Some("transl".to_owned()),
        tag: Some("prod".to_owned()),
        page: Some(1),
        limit: Some(5),
    };
    let page = clients.app.list_apps(with_bearer(request, &bearer.token)).await.unwrap().into_inner();
    let query = format!("workspace_id={workspace}&mode=completion&name=transl&tag=prod&page=1&limit=5");
    assert_eq!(serde_json::to_value(&page).unwrap(), list(&bearer, &query).await.json());
    assert_eq!(page.total, 1);
}

async fn list_filters_and_pages_include_only_callable_apps(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    for age in 0..25 {
        apps::insert(&server, &workspace, &format!("Bulk {age:02}"), "chat", 1_000 + age * 100).await;
    }
    let odd = apps::insert(&server, &workspace, "100%_real app", "workflow", 1).await;
    for (name, what) in [("Off", "enable_api = FALSE"), ("Old", "status = 'archived'"), ("All", "is_universal = TRUE")]
    {
        let id = apps::insert(&server, &workspace, name, "chat", 1).await;
        apps::set(&server, &id, what).await;
    }
    apps::insert(&server, &workspace, "Radio", "channel", 1).await;
    apps::tag(&server, &workspace, "prod", &[&odd]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let base = format!("workspace_id={workspace}");
    let first = list(&bearer, &base).await.json();
    assert_eq!((&first["total"], &first["has_more"]), (&json!(26), &json!(true)));
    assert_eq!(first["data"][0]["name"], "100%_real app");
    let last = list(&bearer, &format!("{base}&page=2&limit=20")).await.json();
    assert_eq!((last["data"].as_array().unwrap().len(), &last["has_more"]), (6, &json!(false)));
    let beyond = list(&bearer, &format!("{base}&page=2147483647&limit=200")).await.json();
    assert_eq!((&beyond["total"], &beyond["data"]), (&json!(26), &json!([])));
    for (query, expected) in [
        ("name=%25", 1),
        ("name=0%25_R", 1),
        ("name=_", 1),
        ("name=bULK%202", 5),
        ("name=%00", 0),
        (&format!("name={odd}"), 1),
        ("name=00000000-0000-0000-0000-000000000001", 0),
        ("tag=prod", 1),
        ("tag=Prod", 0),
        ("tag=unknown", 0),
        ("mode=workflow", 1),
        ("mode=chat", 25),
        ("mode=channel", 0),
        ("mode=agent", 0),
        ("mode=rag-pipeline", 0),
        ("mode=chat&tag=prod", 0),
        ("name=&tag=", 26),
    ] {
        let found = names(&bearer, &format!("{base}&limit=200&{query}")).await;
        assert_eq!(found.len(), expected, "{query}: {found:?}");
    }
}

async fn out_of_range_list_parameters_return_422(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for query in ["", "workspace_id="] {
        assert_eq!(list(&bearer, query).await.outcome(), (422, "workspace_id_required".to_owned()), "{query}");
    }
    let long = format!("name={}", "x".repeat(201));
    for query in ["page=0", "limit=0", "limit=201", "mode=all", "mode=Chat", "mode=", &long] {
        let answer = list(&bearer, &format!("workspace_id={workspace}&{query}")).await;
        assert_eq!(answer.outcome(), (422, "invalid_param".to_owned()), "{query}");
    }
    assert_eq!(list(&bearer, &format!("workspace_id={workspace}&unheard_of=1")).await.status, 200);
}

async fn app_list_of_a_workspace_that_was_not_joined_returns_403(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (shared, foreign) = (apps::shared_workspace(&server).await, apps::workspace(&server, "Second Workspace").await);
    apps::insert(&server, &foreign, "Secret", "chat", 1).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let mut answers = Vec::new();
    for id in
        [&foreign, "00000000-0000-0000-0000-000000000000", "no-uuid", "%E2%80%AE", "%00", &shared.replace('-', "")]
    {
        let answer = list(&bearer, &format!("workspace_id={id}&name=Secret")).await;
        assert_eq!(answer.outcome(), (403, "workspace_membership_revoked".to_owned()), "{id}");
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the errors are equal: {answers:?}");
    let mut clients = Clients::on(channel(&server).await);
    let request = ListAppsRequest { workspace_id: Some(foreign), ..Default::default() };
    let refused = clients.app.list_apps(with_bearer(request, &bearer.token)).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (tonic::Code::PermissionDenied, "workspace_membership_revoked")
    );
}

async fn leaving_a_workspace_ends_access_at_once(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    apps::insert(&server, &workspace, "Chat", "chat", 1).await;
    let query = format!("workspace_id={workspace}");
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    for _ in 0..3 {
        assert_eq!(names(&bearer, &query).await, ["Chat"]);
    }
    let member = database::account_id(&server, MEMBER).await;
    let left = format!("DELETE FROM tenant_account_joins WHERE account_id = '{member}'");
    assert_eq!(database::execute(&server, &left).await, 1);
    for _ in 0..2 {
        assert_eq!(list(&bearer, &query).await.outcome(), (403, "workspace_membership_revoked".to_owned()));
    }
    let joined = format!(
        "INSERT INTO tenant_account_joins (id, tenant_id, account_id) VALUES ('{}', '{workspace}', '{member}')",
        uuid::Uuid::new_v4()
    );
    assert_eq!(database::execute(&server, &joined).await, 1);
    assert_eq!(names(&bearer, &query).await, ["Chat"]);
    // An inactive account is rejected although its token is cached.
    database::execute(&server, &format!("UPDATE accounts SET status = 'banned' WHERE id = '{member}'")).await;
    for workspace in [&workspace, "no-uuid"] {
        let answer = list(&bearer, &format!("workspace_id={workspace}")).await;
        assert_eq!(answer.outcome(), (401, "bearer_invalid".to_owned()));
    }
}
