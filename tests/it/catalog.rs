//! The catalog: what it has, how it is served, and the answers to clients with another one.

mod operations;

use std::collections::BTreeSet;

use dify_openapi::testing::pipeline::{Policy, Presence};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Browser, Stores, TestServer,
    catalog::{CATALOG, Catalog, HEADER},
    server::OWNER,
};

on_both_stores!(every_response_of_the_api_has_the_version, clients_with_another_catalog_are_served_where_possible);

async fn get(server: &TestServer, path: &str) -> Answer {
    Answer::to(Client::new().get(server.at(path))).await
}

async fn every_response_of_the_api_has_the_version(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "catalog=2/1h")]).await;
    let version = Catalog::fetch(&server).await.version;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let large = bearer.request(Method::POST, "/openapi/v1/apps/x/run").body("x".repeat(2 << 20));
    for (answer, status) in [
        (get(&server, CATALOG).await, 200),
        (get(&server, CATALOG).await, 429),
        (get(&server, "/openapi/v1/nothing").await, 404),
        (get(&server, "/openapi/v1/account").await, 401),
        (get(&server, "/openapi/v1/openapi.json").await, 200),
        (Answer::to(bearer.request(Method::PUT, "/openapi/v1/account")).await, 405),
        (Answer::to(bearer.request(Method::GET, "/openapi/v1/account/sessions?page=0")).await, 422),
        (Answer::to(large.header("content-type", "application/json")).await, 413),
    ] {
        assert_eq!((answer.status, answer.header(HEADER)), (status, version.as_str()), "{}", answer.text);
    }
    for path in ["/device", "/.well-known/oauth-authorization-server", "/nothing"] {
        assert_eq!(get(&server, path).await.header(HEADER), "", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn catalog_is_sent_again_only_when_it_changed() {
    let server = TestServer::start(Stores::Sqlite).await;
    let version = Catalog::fetch(&server).await.version;
    for (known, status) in [
        (format!("\"{version}\""), 304),
        (format!("\"another\", W/\"{version}\""), 304),
        ("*".to_owned(), 304),
        ("\"another\"".to_owned(), 200),
        (version.clone(), 200),
    ] {
        let answer = Answer::to(Client::new().get(server.at(CATALOG)).header("if-none-match", &known)).await;
        assert_eq!((answer.status, answer.text.is_empty()), (status, status == 304), "{known}");
        assert_eq!(answer.header("etag"), format!("\"{version}\""));
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
}

async fn clients_with_another_catalog_are_served_where_possible(stores: Stores) {
    let server = TestServer::start(stores).await;
    let version = Catalog::fetch(&server).await.version;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let unknown_app = "/openapi/v1/apps/00000000-0000-0000-0000-000000000000";
    for (method, path, current, stale) in [
        // Served, or refused for another reason than the catalog.
        (Method::GET, "/openapi/v1/account", "ok", "ok"),
        (Method::GET, "/openapi/v1/workspaces?unheard_of=1", "ok", "ok"),
        (Method::GET, unknown_app, "not_found", "not_found"),
        (Method::GET, "/openapi/v1/account/sessions?page=0", "invalid_param", "invalid_param"),
        (Method::PATCH, "/openapi/v1/account", "method_not_allowed", "method_not_allowed"),
        // Unknown routes and members.
        (Method::GET, "/openapi/v1/nothing", "not_found", "catalog_stale"),
        (Method::POST, "/openapi/v1/apps/x:walk", "not_found", "catalog_stale"),
        (Method::GET, "/openapi/v1/permitted-external-apps", "not_found", "catalog_stale"),
        (Method::GET, "/openapi/v1/account/sessions?unheard_of=1", "invalid_param", "catalog_stale"),
        (Method::GET, &format!("{unknown_app}?unheard_of=1"), "invalid_param", "catalog_stale"),
    ] {
        let ask = |known: &str| Answer::to(bearer.request(method.clone(), path).header(HEADER, known));
        assert_eq!(Answer::to(bearer.request(method.clone(), path)).await.code(), current, "{path} without a version");
        assert_eq!(ask(&version).await.code(), current, "{path} with the version");
        let answer = ask("0123").await;
        assert_eq!(answer.code(), stale, "{path} with another version");
        assert_eq!(answer.header(HEADER), version);
        if stale == "catalog_stale" {
            assert_eq!((answer.status, &answer.json()["status"]), (412, &json!(412)));
            assert!(answer.json()["hint"].as_str().unwrap().contains("difyctl refresh cache"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_that_does_not_exist_is_not_found_with_another_catalog() {
    let server = TestServer::start(Stores::Sqlite).await;
    let path = server.at("/openapi/v1/files/00000000-0000-0000-0000-000000000000/preview?expires=1&signature=a");
    let current = Answer::to(Client::new().get(&path)).await;
    let stale = Answer::to(Client::new().get(&path).header(HEADER, "0123")).await;
    assert_eq!(stale.outcome(), current.outcome());
    assert_eq!(stale.status / 100, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_catalog_is_recorded_under_the_route() {
    let server = TestServer::start(Stores::Sqlite).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let request = bearer.request(Method::GET, "/openapi/v1/account/sessions?unheard_of=1").header(HEADER, "0123");
    assert_eq!(Answer::to(request).await.code(), "catalog_stale");
    let metrics = Answer::to(Client::new().get(server.admin("/metrics"))).await.text;
    let labels = ["http_response_status_code=\"412\"", "http_route=\"/openapi/v1/account/sessions\""];
    assert!(metrics.lines().any(|line| labels.iter().all(|label| line.contains(label))), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_serve_the_same_bytes() {
    let Some(stores) = Stores::servers().await else { return };
    let one = TestServer::start(stores).await;
    let other = one.replica().await;
    let (one, other) = (get(&one, CATALOG).await, get(&other, CATALOG).await);
    assert_eq!((&one.text, one.header(HEADER)), (&other.text, other.header(HEADER)));
    assert!(one.text.starts_with("{\"ops\":{\""), "canonical: {}", &one.text[..20]);
    // Nothing is between the tokens, so that writing it again gives the same bytes.
    let value: Value = serde_json::from_str(&one.text).unwrap();
    assert_eq!(value.to_string(), one.text);
    assert_sorted(&value);
}

/// The keys of all objects are sorted.
fn assert_sorted(value: &Value) {
    match value {
        Value::Object(members) => {
            assert!(members.keys().is_sorted(), "{:?}", members.keys());
            members.values().for_each(assert_sorted);
        }
        Value::Array(items) => items.iter().for_each(assert_sorted),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn editions_differ_only_by_operations_of_the_enterprise_edition() {
    let community = Catalog::fetch(&TestServer::start(Stores::Sqlite).await).await;
    let enterprise = TestServer::start_with(Stores::Sqlite, &[("ENTERPRISE_ENABLED", "true")]).await;
    let enterprise = Catalog::fetch(&enterprise).await;
    assert_ne!(community.version, enterprise.version);
    for (id, op) in &community.ops {
        assert_eq!(Some(op), enterprise.ops.get(id), "{id}");
    }
    let more = enterprise.ops.iter().filter(|(id, _)| !community.ops.contains_key(*id));
    let more: BTreeSet<_> = more.map(|(_, op)| op["path"].as_str().unwrap().to_owned()).collect();
    assert!(!more.is_empty());
    let enterprise_paths = Policy::all().filter(|policy| policy.presence == Presence::Enterprise);
    let paths: BTreeSet<_> = enterprise_paths.filter_map(|policy| Some(policy.http?.path.to_owned())).collect();
    assert!(more.is_subset(&paths), "{more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_hints_for_clients_that_work_from_the_catalog() {
    let server = TestServer::start(Stores::Sqlite).await;
    let catalog = Catalog::fetch(&server).await;
    let workspace = crate::support::apps::import_demo(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut input = json!({"workspace_id": workspace, "limit": 2});
    let apps = Answer::to(catalog.request(&bearer, "get.console_app", &input)).await.json();
    let hints = apps["hints"].as_array().unwrap();
    assert_eq!(hints.len(), 2, "{hints:?}");
    for hint in hints {
        let (op, input) = (hint["op"].as_str().unwrap(), &hint["input"]);
        assert_eq!(Answer::to(catalog.request(&bearer, op, input)).await.status, 200, "{hint}");
    }
    input["page"] = json!(2);
    assert_eq!(hints[1], json!({"summary": "Show the next page", "op": "get.console_app", "input": input}));
    let workspaces = Answer::to(catalog.request(&bearer, "get.workspace", &json!({}))).await.json();
    assert_eq!(workspaces["hints"][0]["input"], json!({"workspace_id": workspace}));
    let path = format!("/openapi/v1/apps?workspace_id={workspace}");
    assert!(bearer.get(&path).await.1.get("hints").is_none(), "other clients get none");
    assert_eq!(Browser::anonymous(&server).get(CATALOG).await.0, 200);
}
