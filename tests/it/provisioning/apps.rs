//! `/console/api/apps`.

use serde_json::{Value, json};

use super::{APPS, create_app, echo_graph, publish};
use crate::support::{
    Bearer, Browser, Stores, TestServer, apps,
    database::{account_id, count, execute},
    redact,
    runs::blocking,
    server::{OWNER, no_limits},
};

async fn start(stores: Stores) -> (TestServer, Browser) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", &no_limits())]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    (server, browser)
}

on_every_database!(concurrent_publications_publish_a_draft_once);

on_both_stores!(
    new_app_is_listed_and_cannot_run_before_it_is_published,
    published_version_stays_until_the_next_draft_is_published,
    imported_app_is_published_already,
    disabled_app_cannot_be_called,
    apps_of_a_workspace_are_listed_in_pages
);

fn without_times(mut app: Value) -> Value {
    for member in ["created_at", "updated_at"] {
        assert!(app[member].as_i64().unwrap() > 1_700_000_000);
        app[member] = json!("[seconds]");
    }
    redact(app)
}

async fn new_app_is_listed_and_cannot_run_before_it_is_published(stores: Stores) {
    let (server, browser) = start(stores).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let app = create_app(&browser, "Echo").await;
    assert_wire!(without_times(browser.get(&format!("{APPS}/{app}")).await.1), @r##"
    {
      "author_name": "Demo",
      "created_at": "[seconds]",
      "created_by": "[uuid]",
      "description": "",
      "enable_api": true,
      "enable_site": true,
      "icon": "🤖",
      "icon_background": "#FFEAD5",
      "icon_type": "emoji",
      "id": "[uuid]",
      "mode": "workflow",
      "name": "Echo",
      "tags": [],
      "updated_at": "[seconds]",
      "updated_by": "[uuid]",
      "use_icon_as_answer_icon": false,
      "workflow": null
    }
    "##);
    let run = async || blocking(&bearer, &app, json!({"inputs": {"word": "hi"}})).await.outcome();
    assert_eq!(run().await, (400, "app_unavailable".to_owned()));
    let (status, refused) = browser.post(&format!("{APPS}/{app}/workflows/publish"), &json!({})).await;
    assert_eq!((status, &refused["code"]), (404, &json!("not_found")), "{refused}");
    publish(&browser, &app).await;
    assert_eq!(run().await, (200, "ok".to_owned()));
    for (body, status) in [
        (json!({"name": "", "mode": "chat"}), 400),
        (json!({"name": "x"}), 400),
        (json!({"name": "x", "mode": "channel"}), 422),
        (json!({"name": "x".repeat(256), "mode": "chat"}), 422),
        (json!({"name": "x", "mode": "chat", "description": "x".repeat(401)}), 422),
        (json!({"name": "x", "mode": "chat", "icon_type": "movie"}), 422),
    ] {
        let (found, refused) = browser.post(APPS, &body).await;
        assert_eq!(found, status, "{body}: {refused}");
    }
    let completion = browser.post(APPS, &json!({"name": "Prompt", "mode": "completion"})).await.1;
    let id = completion["id"].as_str().unwrap();
    let (_, described) = bearer.get(&format!("/openapi/v1/apps/{id}/describe?fields=input_schema")).await;
    assert_eq!(described["input_schema"]["properties"]["inputs"]["required"], json!(["query"]), "{described}");
    assert_eq!(browser.post(&format!("{APPS}/{id}/workflows/publish"), &json!({})).await.0, 404);
}

async fn published_version_stays_until_the_next_draft_is_published(stores: Stores) {
    let (server, browser) = start(stores).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let app = create_app(&browser, "Echo").await;
    publish(&browser, &app).await;
    let draft = format!("{APPS}/{app}/workflows/draft");
    let mut graph = echo_graph();
    graph["nodes"][1]["data"]["outputs"][0]["variable"] = json!("other");
    let (_, saved) = browser.post(&draft, &json!({"graph": graph})).await;
    let outputs =
        async || blocking(&bearer, &app, json!({"inputs": {"word": "hi"}})).await.json()["data"]["outputs"].clone();
    assert_eq!(outputs().await, json!({"echo": "hi"}), "the draft is not run");
    let stale = json!({"graph": echo_graph(), "hash": "0".repeat(64)});
    assert_eq!(browser.post(&draft, &stale).await.0, 409);
    let again = json!({"graph": graph, "hash": saved["hash"]});
    assert_eq!(browser.post(&draft, &again).await.1["hash"], saved["hash"]);
    for broken in [json!({"graph": {"nodes": "none"}}), json!({"graph": []}), json!({})] {
        assert_eq!(browser.post(&draft, &broken).await.0, 400, "{broken}");
    }
    let long = json!({"marked_name": "x".repeat(21)});
    assert_eq!(browser.post(&format!("{APPS}/{app}/workflows/publish"), &long).await.0, 422);
    let named = json!({"marked_name": "second", "marked_comment": "other output"});
    assert_eq!(browser.post(&format!("{APPS}/{app}/workflows/publish"), &named).await.0, 200);
    assert_eq!(outputs().await, json!({"other": "hi"}));
    assert_eq!(count(&server, &format!("workflows WHERE app_id = '{app}'")).await, 2);
    assert_eq!(count(&server, "workflows WHERE marked_name = 'second' AND version <> 'draft'").await, 1);
}

async fn imported_app_is_published_already(stores: Stores) {
    let (server, browser) = start(stores).await;
    apps::import_demo(&server).await;
    let (_, listed) = browser.get(&format!("{APPS}?mode=workflow")).await;
    let app = listed["data"][0]["id"].as_str().unwrap().to_owned();
    let before = browser.get(&format!("{APPS}/{app}")).await.1["workflow"].clone();
    let (status, body) =
        browser.post(&format!("{APPS}/{app}/workflows/publish"), &json!({"marked_name": "e2e-provision"})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(browser.get(&format!("{APPS}/{app}")).await.1["workflow"], before);
    assert_eq!(count(&server, "workflows WHERE marked_name = 'e2e-provision'").await, 1);
    // An import that overwrites the app drops what was drafted before.
    publish_nothing_of_an_older_draft(&server, &browser, &app).await;
}

async fn publish_nothing_of_an_older_draft(server: &TestServer, browser: &Browser, app: &str) {
    let draft = json!({"graph": echo_graph()});
    assert_eq!(browser.post(&format!("{APPS}/{app}/workflows/draft"), &draft).await.0, 200);
    assert_eq!(count(server, "workflows WHERE version = 'draft'").await, 1);
    apps::import_demo(server).await;
    assert_eq!(count(server, "workflows WHERE version = 'draft'").await, 0);
}

async fn disabled_app_cannot_be_called(stores: Stores) {
    let (server, browser) = start(stores).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let app = create_app(&browser, "Echo").await;
    publish(&browser, &app).await;
    let enable = format!("{APPS}/{app}/api-enable");
    assert_eq!(browser.post(&enable, &json!({"enable_api": false})).await.1["enable_api"], false);
    assert_eq!(blocking(&bearer, &app, json!({"inputs": {"word": "hi"}})).await.status, 404);
    assert_eq!(browser.get(APPS).await.1["total"], 1, "members still see it");
    assert_eq!(browser.post(&enable, &json!({"enable_api": true})).await.0, 200);
    assert_eq!(blocking(&bearer, &app, json!({"inputs": {"word": "hi"}})).await.status, 200);
    assert_eq!(browser.post(&enable, &json!({})).await.0, 400);
}

async fn apps_of_a_workspace_are_listed_in_pages(stores: Stores) {
    let (server, browser) = start(stores).await;
    for name in ["first", "second", "third"] {
        create_app(&browser, name).await;
        server.advance(1);
    }
    let (_, page) = browser.get(&format!("{APPS}?limit=2&page=1")).await;
    let names: Vec<_> = page["data"].as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap()).collect();
    assert_eq!((names, &page["has_more"], &page["total"]), (vec!["third", "second"], &json!(true), &json!(3)));
    let (_, page) = browser.get(&format!("{APPS}?limit=2&page=2")).await;
    assert_eq!((&page["data"][0]["name"], &page["has_more"]), (&json!("first"), &json!(false)));
    for query in ["limit=0", "limit=201", "page=0", "mode=unknown"] {
        assert_eq!(browser.get(&format!("{APPS}?{query}")).await.0, 422, "{query}");
    }
}

async fn concurrent_publications_publish_a_draft_once(stores: Stores) {
    let (server, browser) = start(stores).await;
    let app = create_app(&browser, "Echo").await;
    let draft = json!({"graph": echo_graph()});
    let path = format!("{APPS}/{app}/workflows");
    let saves = (0..4).map(|_| async { browser.post(&format!("{path}/draft"), &draft).await.0 });
    assert_eq!(futures_util::future::join_all(saves).await, [200; 4]);
    assert_eq!(count(&server, "workflows").await, 1, "an app has one draft");
    let publications = (0..4).map(|_| async { browser.post(&format!("{path}/publish"), &json!({})).await.0 });
    assert_eq!(futures_util::future::join_all(publications).await, [200; 4]);
    assert_eq!(count(&server, "workflows WHERE version <> 'draft'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn workspace_has_a_limited_number_of_apps() {
    let (server, browser) = start(Stores::Sqlite).await;
    let (workspace, owner) = (apps::shared_workspace(&server).await, account_id(&server, OWNER).await);
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
         INSERT INTO apps (id, tenant_id, name, mode, description, enable_site, enable_api, created_by) \
         SELECT '00000000-0000-4000-8000-' || printf('%012d', i), '{workspace}', 'app', 'chat', '', TRUE, TRUE, \
         '{owner}' FROM n"
    );
    assert_eq!(execute(&server, &fill).await, 5_000);
    let (status, refused) = browser.post(APPS, &json!({"name": "one more", "mode": "chat"})).await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid_request")), "{refused}");
}
