//! Clients that send a body over the limit read the refusal, although the server does not read the body.

use serde_json::json;

use crate::support::{Answer, Stores, TestServer, python::Script};

const CODE: &str = "/openapi/v1/oauth/device/code";

#[tokio::test(flavor = "multi_thread")]
async fn clients_read_the_refusal_of_a_large_body() {
    let server = TestServer::start_without_limits(Stores::Sqlite).await;
    for _ in 0..3 {
        let request = reqwest::Client::new().post(server.at(CODE)).header("content-type", "application/json");
        let answer = Answer::to(request.body(vec![b' '; 12_000_000])).await;
        assert_eq!(answer.outcome(), (413, "request_entity_too_large".to_owned()));
    }
    let Some(mut script) = Script::start("large_body.py", &[&server.at(CODE)]) else { return };
    assert_eq!(script.next(), json!({"status": 413, "code": "request_entity_too_large"}));
}
