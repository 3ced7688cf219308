//! The examples of the OpenAPI document, validated against its schemas by the Python package `jsonschema`.

use crate::support::{Browser, Stores, TestServer, python::Script};

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_example_matches_its_schema() {
    let server = TestServer::start(Stores::Sqlite).await;
    let (status, document) = Browser::anonymous(&server).get("/openapi/v1/openapi.json").await;
    assert_eq!(status, 200);
    let Some(mut script) = Script::start("openapi_examples.py", &[]) else { return };
    let found = script.send(&document);
    assert_eq!(found["wrong"], serde_json::json!([]));
    assert!(found["fit"].as_u64().unwrap() > 200, "{found}");
}
