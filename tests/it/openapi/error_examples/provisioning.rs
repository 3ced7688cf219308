//! Errors of the setup and of drafts.

use reqwest::Method;
use serde_json::json;

use super::Document;
use crate::{
    provisioning::{APPS, INIT, INIT_PASSWORD, SETUP, administrator, create_app, echo_graph},
    support::{Answer, Browser, Stores, TestServer, server::OWNER},
};

pub(super) async fn errors(document: &mut Document) {
    let empty = Box::pin(TestServer::start_empty(Stores::Sqlite, &[("INIT_PASSWORD", INIT_PASSWORD)])).await;
    let script = Browser::anonymous(&empty);
    let set_up = administrator("ann@example.com");
    for (path, body) in [(INIT, json!({"password": "another"})), (SETUP, set_up.clone())] {
        let refused = script.request(Method::POST, path).json(&body);
        document.assert_shown("post", path, &Answer::to(refused).await);
    }

    let server = Box::pin(TestServer::start(Stores::Sqlite)).await;
    let again = Browser::anonymous(&server).request(Method::POST, SETUP).json(&set_up);
    document.assert_shown("post", SETUP, &Answer::to(again).await);
    let browser = Browser::signed_in(&server, OWNER).await;
    let app = create_app(&browser, "Echo").await;
    let draft = |hash: serde_json::Value| {
        let path = format!("{APPS}/{app}/workflows/draft");
        Answer::to(browser.request(Method::POST, &path).json(&json!({"graph": echo_graph(), "hash": hash})))
    };
    assert_eq!(draft(json!(null)).await.status, 200);
    document.assert_shown("post", "/console/api/apps/{id}/workflows/draft", &draft(json!("0".repeat(64))).await);
}
