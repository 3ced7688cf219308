//! Provisioning of a standalone server by scripts: the setup, and apps and tags in the console.

mod apps;
mod roles;
mod setup;
mod tags;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Bearer, Browser, Stores, TestServer,
    logs::Logs,
    runs::blocking,
    server::{PASSWORD, no_limits},
};

pub const INIT: &str = "/console/api/init";
pub const SETUP: &str = "/console/api/setup";
pub const APPS: &str = "/console/api/apps";
const TAGS: &str = "/console/api/tags";
const BINDINGS: &str = "/console/api/tag-bindings";
pub const INIT_PASSWORD: &str = "the-password-of-the-first-setup-4711";
const ANN: &str = "ann@example.com";

/// The body of a setup.
pub fn administrator(email: &str) -> Value {
    json!({"email": email, "name": "Ann", "password": PASSWORD, "language": "en-US"})
}

/// A graph that returns its input.
pub fn echo_graph() -> Value {
    json!({
        "nodes": [
            {"id": "start", "data": {"type": "start", "title": "Start", "variables": [
                {"variable": "word", "label": "Word", "type": "text-input", "required": true, "max_length": 48},
            ]}},
            {"id": "end", "data": {"type": "end", "title": "End", "outputs": [
                {"variable": "echo", "value_selector": ["start", "word"]},
            ]}},
        ],
        "edges": [{"id": "edge", "source": "start", "target": "end", "sourceHandle": "source", "targetHandle": "target"}],
    })
}

/// Creates a workflow. Returns its id.
pub async fn create_app(browser: &Browser, name: &str) -> String {
    let (status, app) = browser.post(APPS, &json!({"name": name, "mode": "workflow"})).await;
    assert_eq!(status, 201, "{app}");
    app["id"].as_str().unwrap().to_owned()
}

/// Saves the draft of an app and publishes it.
async fn publish(browser: &Browser, app: &str) {
    let (status, body) = browser.post(&format!("{APPS}/{app}/workflows/draft"), &json!({"graph": echo_graph()})).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = browser.post(&format!("{APPS}/{app}/workflows/publish"), &json!({"marked_name": "1"})).await;
    assert_eq!((status, &body["result"]), (200, &json!("success")), "{body}");
}

on_every_database!(script_provisions_a_fresh_server);

/// What the end-to-end suite of the client and deployment scripts do, in their order.
async fn script_provisions_a_fresh_server(stores: Stores) {
    let logs = Logs::capture();
    let limits = no_limits();
    let variables = [("INIT_PASSWORD", INIT_PASSWORD), ("OPENAPI_RATE_LIMITS", &*limits)];
    let server = TestServer::start_empty(stores, &variables).await;
    let mut script = Browser::anonymous(&server);
    assert_eq!(script.get(SETUP).await, (200, json!({"step": "not_started", "setup_at": null})));
    assert_eq!(script.get(INIT).await, (200, json!({"status": "not_started"})));
    let (status, refused) = script.post(SETUP, &administrator(ANN)).await;
    assert_eq!((status, &refused["code"]), (401, &json!("not_init_validated")));
    setup::give_init_password(&mut script).await;
    assert_eq!(script.get(INIT).await, (200, json!({"status": "finished"})));
    assert_eq!(script.post(SETUP, &administrator(ANN)).await, (201, json!({"result": "success"})));
    let (_, state) = script.get(SETUP).await;
    assert!(state["step"] == "finished" && state["setup_at"].as_str().unwrap().ends_with('Z'), "{state}");

    // The suite tries to register an account first. Whatever the answers are, it signs in then.
    let account = json!({"email": ANN, "name": "ann", "password": "ZGVtby1wYXNzd29yZC0x"});
    assert_eq!(script.post(INIT, &account).await.1["code"], "already_setup");
    assert_eq!(script.post("/console/api/register", &account).await.0, 404);
    let browser = Browser::signed_in(&server, ANN).await;
    let (_, listed) = browser.get("/console/api/workspaces").await;
    let workspace = listed["workspaces"][0].clone();
    assert_eq!((&workspace["name"], &workspace["current"]), (&json!("Ann's Workspace"), &json!(true)));
    for method in [Method::GET, Method::POST] {
        let request = browser.request(method, "/console/api/workspaces/current").json(&json!({}));
        let current: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!((&current["id"], &current["role"]), (&workspace["id"], &json!("owner")));
    }

    let (_, none) = browser.get(&format!("{APPS}?name=basic_auto_test&limit=50&page=1")).await;
    assert_eq!((&none["data"], &none["total"]), (&json!([]), &json!(0)));
    let app = create_app(&browser, "basic_auto_test").await;
    publish(&browser, &app).await;
    let (status, enabled) = browser.post(&format!("{APPS}/{app}/api-enable"), &json!({"enable_api": true})).await;
    assert_eq!((status, &enabled["enable_api"]), (200, &json!(true)));
    let (_, found) = browser.get(&format!("{APPS}?name=AUTO_test&limit=50&page=1&mode=all")).await;
    assert_eq!((&found["data"][0]["id"], &found["total"]), (&json!(app), &json!(1)));

    assert_eq!(browser.get(&format!("{TAGS}?type=app&keyword=e2e-test")).await, (200, json!([])));
    let (status, tag) = browser.post(TAGS, &json!({"name": "e2e-test", "type": "app"})).await;
    assert_eq!((status, &tag["binding_count"]), (200, &json!("0")), "{tag}");
    let binding = json!({"tag_ids": [tag["id"]], "target_id": app, "type": "app"});
    for _ in 0..2 {
        assert_eq!(browser.post(BINDINGS, &binding).await, (200, json!({"result": "success"})));
    }
    assert_eq!(browser.get(&format!("{APPS}/{app}")).await.1["tags"][0]["name"], "e2e-test");

    let bearer = Bearer::sign_in_with(&server, &browser, "e2e-primary").await;
    let workspace = workspace["id"].as_str().unwrap();
    let (_, tagged) = bearer.get(&format!("/openapi/v1/apps?workspace_id={workspace}&tag=e2e-test")).await;
    assert_eq!((&tagged["data"][0]["id"], &tagged["total"]), (&json!(app), &json!(1)));
    let run = blocking(&bearer, &app, json!({"inputs": {"word": "hello"}})).await;
    assert_eq!(run.json()["data"]["outputs"], json!({"echo": "hello"}), "{}", run.text);

    // Other tests of this process write events, too.
    for (event, about) in [
        ("setup.completed", workspace),
        ("app.created", &app),
        ("app.draft_saved", &app),
        ("app.published", &app),
        ("app.api_changed", &app),
    ] {
        assert_eq!(logs.matching(&["INFO audit", event, about]).len(), 1, "{event}");
    }
    assert!(!logs.lines().contains(INIT_PASSWORD));
}
