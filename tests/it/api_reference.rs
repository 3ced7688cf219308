//! The API reference as a page.

use reqwest::Method;

use crate::support::{Answer, Browser, Stores, TestServer};

async fn get(server: &TestServer, path: &str) -> Answer {
    Answer::to(Browser::anonymous(server).bare(Method::GET, path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn api_reference_names_every_operation_where_it_is_enabled() {
    let server = TestServer::start_with(Stores::Sqlite, &[("API_REFERENCE", "true")]).await;
    let page = get(&server, "/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"), "{:?}", page.headers);
    let document = get(&server, "/openapi/v1/openapi.json").await.json();
    let text = page.text.replace("&#x2f;", "/");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(text.contains(&format!("id=\"{id}\"")) && text.contains(path.as_str()), "{id} {path}");
        }
    }
    let without = TestServer::start_with(Stores::Sqlite, &[("API_REFERENCE", "false")]).await;
    assert_eq!(get(&without, "/docs").await.status, 404);
}
