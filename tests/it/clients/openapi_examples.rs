//! The examples of both OpenAPI documents, validated against its schemas by the Python package `jsonschema`.

use dify_openapi::testing::http::internal_openapi;
use serde_json::{Value, json};

use crate::support::{Browser, Stores, TestServer, python::Script};

fn assert_valid(document: &Value) {
    let Some(mut script) = Script::start("openapi_examples.py", &[]) else { return };
    let found = script.send(document);
    assert_eq!(found["wrong"], json!([]));
    assert!(found["fit"].as_u64().unwrap() > 200, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_example_matches_its_schema() {
    let server = TestServer::start(Stores::Sqlite).await;
    let (status, document) = Browser::anonymous(&server).get("/openapi/v1/openapi.json").await;
    assert_eq!(status, 200);
    assert_valid(&document);
    assert_valid(&serde_json::from_str(internal_openapi(true)).unwrap());
}
