//! Members of a workspace: listed, invited, changed and removed, with the paths of every generation of difyctl.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Browser, Stores, Team, apps,
    command::succeeded,
    database::{account_id, count, execute},
    logs::Logs,
    server::{MEMBER, OWNER, PASSWORD},
};

const WORKSPACES: &str = "/openapi/v1/workspaces";
const GRACE: &str = "grace@example.com";

on_every_database!(
    members_are_listed_in_pages,
    administrators_invite_change_and_remove_members,
    invited_person_signs_in_with_the_first_password,
    one_new_person_is_invited_to_two_workspaces_at_once,
    each_role_may_do_what_it_is_for,
    owner_and_own_membership_cannot_be_changed,
    account_switches_its_current_workspace
);

/// The path of a member of the team, or of its members.
fn members_path(team: &Team, rest: &str) -> String {
    format!("{WORKSPACES}/{}/members{rest}", team.workspace)
}

async fn call(bearer: &Bearer, method: Method, path: &str, body: Value) -> Answer {
    let request = bearer.request(method, path);
    Answer::to(if body.is_null() { request } else { request.json(&body) }).await
}

async fn members_are_listed_in_pages(stores: Stores) {
    let team = Team::start(stores, &[]).await;
    let (_, second) = team.owner.get(&members_path(&team, "?page=2&limit=1")).await;
    assert_eq!(second["data"][0]["email"], MEMBER);
    assert_eq!((&second["total"], &second["has_more"]), (&json!(2), &json!(false)));
    assert_wire!(Answer::to(team.member.request(Method::GET, &members_path(&team, "?limit=1"))).await.redacted(), @r#"
    {
      "data": [
        {
          "avatar": null,
          "email": "demo@example.com",
          "id": "[uuid]",
          "name": "Demo",
          "role": "owner",
          "status": "active"
        }
      ],
      "has_more": true,
      "limit": 1,
      "page": 1,
      "total": 2
    }
    "#);
}

async fn administrators_invite_change_and_remove_members(stores: Stores) {
    let team = Team::start(stores, &[]).await;
    let (owner, logs) = (&team.owner, Logs::capture());
    // Members are listed in the order in which they joined, and the other member joined a second after the start.
    team.server.advance(2);
    let invited =
        call(owner, Method::POST, &members_path(&team, ""), json!({"email": "Grace@EXAMPLE.com", "role": "admin"}))
            .await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let id = invited.json()["member_id"].as_str().unwrap().to_owned();
    let mut shown = invited.redacted();
    shown.as_object_mut().unwrap().remove("invite_url");
    assert_wire!(shown, @r#"
    {
      "email": "Grace@example.com",
      "member_id": "[uuid]",
      "result": "success",
      "role": "admin",
      "tenant_id": "[uuid]"
    }
    "#);
    let again = call(owner, Method::POST, &members_path(&team, ""), json!({"email": GRACE, "role": "normal"})).await;
    assert_eq!(again.outcome(), (409, "already_exists".to_owned()));

    for (method, path, role) in [
        (Method::PUT, members_path(&team, &format!("/{id}/role")), "normal"),
        (Method::PATCH, members_path(&team, &format!("/{id}")), "editor"),
    ] {
        let changed = call(owner, method, &path, json!({"role": role})).await;
        assert_eq!((changed.status, changed.json()), (200, json!({"result": "success"})));
        assert_eq!(owner.get(&members_path(&team, "")).await.1["data"][2]["role"], role);
    }
    for (path, body, status, code) in [
        ("", json!({"email": "no address", "role": "normal"}), 422, "invalid_param"),
        ("", json!({"email": "a@b.example", "role": "owner"}), 422, "invalid_param"),
        ("", json!({"email": "a@b.example", "role": "editor"}), 422, "invalid_param"),
        ("", json!({"email": 1}), 400, "invalid_request"),
    ] {
        let refused = call(owner, Method::POST, &members_path(&team, path), body).await;
        assert_eq!(refused.outcome(), (status, code.to_owned()), "{}", refused.text);
    }
    let owner_role =
        call(owner, Method::PATCH, &members_path(&team, &format!("/{id}")), json!({"role": "owner"})).await;
    assert_eq!(owner_role.outcome(), (422, "invalid_param".to_owned()));

    let path = members_path(&team, &format!("/{id}"));
    let remove = || call(owner, Method::DELETE, &path, Value::Null);
    assert_eq!(remove().await.json(), json!({"result": "success"}));
    assert_eq!(remove().await.outcome(), (404, "not_found".to_owned()));
    assert_eq!(owner.get(&members_path(&team, "")).await.1["total"], 2);
    for event in ["workspace.member_added", "workspace.member_removed"] {
        assert_eq!(logs.matching(&[event, &id, OWNER]).len(), 1, "{event}");
    }
    assert_eq!(logs.matching(&["workspace.member_role_changed", &id, OWNER]).len(), 2);
}

async fn invited_person_signs_in_with_the_first_password(stores: Stores) {
    let team = Team::start(stores, &[]).await;
    let invite = json!({"email": GRACE, "role": "normal"});
    let invited = call(&team.owner, Method::POST, &members_path(&team, ""), invite).await.json();
    assert_eq!(invited["invite_url"], format!("{}/signin", team.server.variable("CONSOLE_WEB_URL")));
    let browser = Browser::anonymous(&team.server);
    assert_eq!(browser.login(GRACE, PASSWORD).await.status, 401, "the account is pending");
    succeeded(team.server.command(&["account", "set-password", GRACE], PASSWORD));
    let grace = Bearer::sign_in(&team.server, GRACE, "laptop").await;
    let (_, workspaces) = grace.get(WORKSPACES).await;
    assert_eq!((&workspaces["total"], &workspaces["data"][0]["current"]), (&json!(1), &json!(true)));
}

async fn one_new_person_is_invited_to_two_workspaces_at_once(stores: Stores) {
    let team = Team::start(stores, &[]).await;
    let second = apps::workspace(&team.server, "Second Workspace").await;
    for round in 0..10 {
        let invite = |workspace: &str| {
            let path = format!("{WORKSPACES}/{workspace}/members");
            let owner = &team.owner;
            let body = json!({"email": format!("new-{round}@example.com"), "role": "normal"});
            async move { call(owner, Method::POST, &path, body).await }
        };
        let (one, two) = tokio::join!(invite(&team.workspace), invite(&second));
        assert_eq!((one.status, two.status), (201, 201), "{} {}", one.text, two.text);
        assert_eq!(one.json()["member_id"], two.json()["member_id"]);
    }
}

async fn each_role_may_do_what_it_is_for(stores: Stores) {
    let team = Team::start(stores, &[]).await;
    let invite = json!({"email": GRACE, "role": "normal"});
    let grace = call(&team.owner, Method::POST, &members_path(&team, ""), invite).await.json();
    let grace = format!("/{}", grace["member_id"].as_str().unwrap());
    let requests = [
        (Method::POST, String::new(), json!({"email": GRACE, "role": "normal"})),
        (Method::PUT, format!("{grace}/role"), json!({"role": "normal"})),
        (Method::PATCH, grace.clone(), json!({"role": "normal"})),
        (Method::DELETE, grace.clone(), Value::Null),
    ];
    for role in ["normal", "editor", "dataset_operator"] {
        team.set_role_of_member(role).await;
        assert_eq!(team.member.get(&members_path(&team, "")).await.0, 200, "{role}");
        for (method, path, body) in &requests {
            let refused = call(&team.member, method.clone(), &members_path(&team, path), body.clone()).await;
            assert_eq!(refused.outcome(), (403, "forbidden".to_owned()), "{role} {method} {path}");
        }
    }
    team.set_role_of_member("admin").await;
    let allowed = [409, 200, 200, 200];
    for ((method, path, body), status) in requests.iter().zip(allowed) {
        let answer = call(&team.member, method.clone(), &members_path(&team, path), body.clone()).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }

    // A workspace that was not joined, an unknown one, one that is not a UUID, and an archived one are the same.
    let second = apps::workspace(&team.server, "Second Workspace").await;
    execute(&team.server, "UPDATE tenants SET status = 'archive' WHERE name = 'Demo Workspace'").await;
    let mut texts = Vec::new();
    for workspace in [&second, "00000000-0000-0000-0000-000000000000", "no-uuid", &team.workspace] {
        for (method, path, body) in &requests {
            let path = format!("{WORKSPACES}/{workspace}/members{path}");
            let answer = call(&team.member, method.clone(), &path, body.clone()).await;
            assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{method} {path}");
            texts.push(answer.text);
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

async fn owner_and_own_membership_cannot_be_changed(stores: Stores) {
    let team = Team::start(stores, &[]).await;
    team.set_role_of_member("admin").await;
    let (owner, member) = (account_id(&team.server, OWNER).await, team.member_id().await);
    for (bearer, id) in [(&team.owner, &owner), (&team.member, &owner), (&team.member, &member)] {
        let path = members_path(&team, &format!("/{id}"));
        let removed = call(bearer, Method::DELETE, &path, Value::Null).await;
        let changed = call(bearer, Method::PATCH, &path, json!({"role": "normal"})).await;
        for answer in [removed, changed] {
            assert_eq!(answer.outcome(), (400, "invalid_request".to_owned()), "{}", answer.text);
        }
    }
    assert_eq!(count(&team.server, "tenant_account_joins WHERE role = 'owner'").await, 2);
}

async fn account_switches_its_current_workspace(stores: Stores) {
    let team = Team::start(stores, &[]).await;
    let (logs, second) = (Logs::capture(), apps::workspace(&team.server, "Second Workspace").await);
    let switch =
        |bearer: &Bearer, path: String| Answer::to(bearer.request(Method::POST, &format!("{WORKSPACES}/{path}")));
    let switched = switch(&team.owner, format!("{second}/switch")).await;
    assert_wire!(switched.redacted(), @r#"
    {
      "created_at": "[time]",
      "current": true,
      "id": "[uuid]",
      "name": "Second Workspace",
      "role": "owner",
      "status": "normal"
    }
    "#);
    assert_eq!(team.owner.get("/openapi/v1/account").await.1["default_workspace_id"], second);
    let back = call(&team.owner, Method::POST, &format!("{WORKSPACES}/{}:switch", team.workspace), json!({})).await;
    assert_eq!((back.status, &back.json()["current"]), (200, &json!(true)), "{}", back.text);
    assert_eq!(team.owner.get("/openapi/v1/account").await.1["default_workspace_id"], team.workspace);
    for workspace in [&second, &team.workspace] {
        assert_eq!(logs.matching(&["workspace.switched", OWNER, workspace]).len(), 1);
    }
    for path in [format!("{second}:switch"), format!("{second}/switch"), "no-uuid:switch".to_owned()] {
        let refused = switch(&team.member, path).await;
        assert_eq!(refused.outcome(), (404, "not_found".to_owned()));
        assert_eq!(refused.json()["message"], "Workspace not found.");
    }
}
