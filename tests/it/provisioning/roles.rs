//! Who may change apps and tags in the console, and how often.

use reqwest::Method;
use serde_json::{Value, json};

use super::{APPS, BINDINGS, TAGS, create_app, echo_graph};
use crate::support::{
    Answer, Browser, Stores, Team, TestServer,
    database::execute,
    server::{MEMBER, OWNER},
};

on_both_stores!(each_role_may_do_what_it_is_for, other_workspaces_have_nothing_here, changes_are_limited_by_account);

async fn outcome(browser: &Browser, path: &str, body: &Value) -> u16 {
    Answer::to(browser.request(Method::POST, path).json(body)).await.status
}

async fn each_role_may_do_what_it_is_for(stores: Stores) {
    let team = Team::start(stores, &[]).await;
    let owner = Browser::signed_in(&team.server, OWNER).await;
    let app = create_app(&owner, "Shared").await;
    let (_, tag) = owner.post(TAGS, &json!({"name": "shared", "type": "app"})).await;
    let member = Browser::signed_in(&team.server, MEMBER).await;
    for (role, edits, administers) in
        [("normal", 403, 403), ("dataset_operator", 403, 403), ("editor", 200, 403), ("admin", 200, 200)]
    {
        team.set_role_of_member(role).await;
        let created = if edits == 200 { 201 } else { edits };
        let new = json!({"name": format!("By {role}"), "mode": "chat"});
        assert_eq!(outcome(&member, APPS, &new).await, created, "{role}");
        let draft = json!({"graph": echo_graph()});
        assert_eq!(outcome(&member, &format!("{APPS}/{app}/workflows/draft"), &draft).await, edits, "{role}");
        assert_eq!(outcome(&member, &format!("{APPS}/{app}/workflows/publish"), &json!({})).await, edits, "{role}");
        let binding = json!({"tag_ids": [tag["id"]], "target_id": app, "type": "app"});
        for path in ["", "/create", "/remove"] {
            assert_eq!(outcome(&member, &format!("{BINDINGS}{path}"), &binding).await, edits, "{role} {path}");
        }
        assert_eq!(outcome(&member, TAGS, &json!({"name": role, "type": "app"})).await, edits, "{role}");
        let enabled = json!({"enable_api": true});
        assert_eq!(outcome(&member, &format!("{APPS}/{app}/api-enable"), &enabled).await, administers, "{role}");
        // Every member reads.
        for path in [APPS.to_owned(), format!("{APPS}/{app}"), TAGS.to_owned()] {
            assert_eq!(member.get(&path).await.0, 200, "{role} {path}");
        }
    }
    for (method, path) in [(Method::POST, APPS.to_owned()), (Method::DELETE, format!("{TAGS}/{app}"))] {
        let forged = Answer::to(owner.bare(method, &path).json(&json!({}))).await;
        assert_eq!(forged.outcome(), (403, "csrf_mismatch".to_owned()), "{path}");
    }
}

async fn other_workspaces_have_nothing_here(stores: Stores) {
    let team = Team::start(stores, &[]).await;
    let owner = Browser::signed_in(&team.server, OWNER).await;
    let (_, listed) = owner.get("/console/api/workspaces").await;
    let switch = json!({"tenant_id": listed["workspaces"][1]["id"]});
    assert_eq!(owner.post("/console/api/workspaces/switch", &switch).await.0, 200);
    let app = create_app(&owner, "Private").await;
    let (_, tag) = owner.post(TAGS, &json!({"name": "private", "type": "app"})).await;
    team.set_role_of_member("admin").await;
    let member = Browser::signed_in(&team.server, MEMBER).await;
    let own = create_app(&member, "Own").await;
    assert_eq!(member.get(APPS).await.1["total"], 1);
    assert_eq!(member.get(TAGS).await.1, json!([]));
    assert_eq!(member.get(&format!("{APPS}/{app}")).await.0, 404);
    for path in ["api-enable", "workflows/draft", "workflows/publish"] {
        let body = json!({"enable_api": false, "graph": echo_graph()});
        assert_eq!(outcome(&member, &format!("{APPS}/{app}/{path}"), &body).await, 404, "{path}");
    }
    for (tag, app) in [(&tag["id"], &own), (&tag["id"], &app)] {
        let binding = json!({"tag_ids": [tag], "target_id": app, "type": "app"});
        assert_eq!(outcome(&member, BINDINGS, &binding).await, 404);
    }
    let path = format!("{TAGS}/{}", tag["id"].as_str().unwrap());
    assert_eq!(Answer::to(member.request(Method::DELETE, &path)).await.status, 404);
    execute(&team.server, "DELETE FROM tenant_account_joins WHERE role = 'admin'").await;
    assert_eq!(member.get(APPS).await.0, 404, "without a workspace");
}

async fn changes_are_limited_by_account(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "console_edit=2/1m")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for name in ["one", "two"] {
        assert_eq!(outcome(&browser, TAGS, &json!({"name": name, "type": "app"})).await, 200);
    }
    assert_eq!(outcome(&browser, APPS, &json!({"name": "three", "mode": "chat"})).await, 429);
    assert_eq!(browser.get(TAGS).await.0, 200, "reading is not limited");
    server.advance(61);
    assert_eq!(outcome(&browser, APPS, &json!({"name": "three", "mode": "chat"})).await, 201);
}
