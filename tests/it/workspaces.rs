//! `GET /openapi/v1/workspaces` and `/workspaces/{id}`.

use reqwest::Method;

use crate::support::{
    Answer, Bearer, Stores, TestServer, database,
    server::{MEMBER, OWNER},
};

const WORKSPACES: &str = "/openapi/v1/workspaces";

on_every_database!(
    workspaces_are_listed_oldest_first_and_in_pages,
    workspace_details_include_created_at,
    workspace_that_was_not_joined_returns_404,
    membership_is_read_on_every_request
);

async fn workspaces_are_listed_oldest_first_and_in_pages(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (_, list) = bearer.get(&format!("{WORKSPACES}?page=2&limit=1")).await;
    assert_eq!(list["data"], serde_json::json!([list["workspaces"][1]]));
    assert_eq!((&list["page"], &list["total"], &list["has_more"]), (&2.into(), &2.into(), &false.into()));
    assert_wire!(Answer::to(bearer.request(Method::GET, WORKSPACES)).await.redacted(), @r#"
    {
      "data": [
        {
          "current": true,
          "id": "[uuid]",
          "name": "Demo Workspace",
          "role": "owner",
          "status": "normal"
        },
        {
          "current": false,
          "id": "[uuid]",
          "name": "Second Workspace",
          "role": "owner",
          "status": "normal"
        }
      ],
      "has_more": false,
      "limit": 100,
      "page": 1,
      "total": 2,
      "workspaces": [
        {
          "current": true,
          "id": "[uuid]",
          "name": "Demo Workspace",
          "role": "owner",
          "status": "normal"
        },
        {
          "current": false,
          "id": "[uuid]",
          "name": "Second Workspace",
          "role": "owner",
          "status": "normal"
        }
      ]
    }
    "#);
}

async fn workspace_details_include_created_at(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (_, list) = bearer.get(WORKSPACES).await;
    let id = list["workspaces"][1]["id"].as_str().unwrap();
    let answer = Answer::to(bearer.request(Method::GET, &format!("{WORKSPACES}/{id}"))).await;
    assert_eq!(answer.json()["id"], id);
    assert_wire!(answer.redacted(), @r#"
    {
      "created_at": "[time]",
      "current": false,
      "id": "[uuid]",
      "name": "Second Workspace",
      "role": "owner",
      "status": "normal"
    }
    "#);
}

async fn workspace_that_was_not_joined_returns_404(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (_, all) = Bearer::sign_in(&server, OWNER, "laptop").await.get(WORKSPACES).await;
    let foreign = all["workspaces"][1]["id"].as_str().unwrap();
    let shared = all["workspaces"][0]["id"].as_str().unwrap();
    let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
    assert_eq!(member.get(&format!("{WORKSPACES}/{shared}")).await.0, 200);
    let mut answers = Vec::new();
    for id in [foreign, "00000000-0000-0000-0000-000000000000", "no-uuid", "%E2%80%AE", &shared.replace('-', "")] {
        let answer = Answer::to(member.request(Method::GET, &format!("{WORKSPACES}/{id}"))).await;
        assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{id}");
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the errors are equal: {answers:?}");
}

async fn membership_is_read_on_every_request(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let (_, body) = bearer.get(WORKSPACES).await;
    assert_eq!(body["workspaces"][0]["role"], "normal");
    let account = database::account_id(&server, MEMBER).await;
    let of_member = format!("WHERE account_id = '{account}'");
    database::execute(&server, &format!("UPDATE tenant_account_joins SET role = 'editor' {of_member}")).await;
    database::execute(&server, "UPDATE tenants SET status = 'archive'").await;
    let (_, body) = bearer.get(WORKSPACES).await;
    assert_eq!(
        (&body["workspaces"][0]["role"], &body["workspaces"][0]["status"]),
        (&"editor".into(), &"archive".into())
    );
    database::execute(&server, &format!("DELETE FROM tenant_account_joins {of_member}")).await;
    assert_eq!(bearer.get(WORKSPACES).await.1["workspaces"], serde_json::json!([]));
}
