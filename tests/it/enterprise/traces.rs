//! Calls of the enterprise service in traces.

use opentelemetry_proto::tonic::{common::v1::any_value::Value, trace::v1::status::StatusCode};

use crate::support::{
    Device, Stores, TestServer,
    collector::{Collector, attributes, exporting_to, text, traceparent},
    enterprise_service::{Behaviour, EnterpriseService},
    server_process::ServerProcess,
};

#[tokio::test(flavor = "multi_thread")]
async fn call_is_a_client_span_whose_context_the_service_gets_also_without_an_export() {
    let service = EnterpriseService::start().await;
    let mut server = TestServer::start_with(Stores::Sqlite, &service.variables()).await;
    let device = Device::start(&server, "laptop").await;
    let path = format!("/openapi/v1/oauth/device/sso-initiate?user_code={}", device.user_code);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let sent = async |url: String, expected: u16| {
        service.take_requests();
        let answer = client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), expected);
        let call = service.take_requests().pop().unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        (id, call.headers["traceparent"].to_str().unwrap().to_owned())
    };
    let (id, context) = sent(server.at(&path), 302).await;
    assert!(context.starts_with(&format!("00-{id}-")), "{context} {id}");

    server.halt().await;
    let (collector, endpoint) = Collector::start().await;
    let _process = ServerProcess::start_with(&server, &exporting_to(&endpoint)).await;
    // The state in the process was lost with the server.
    let device = Device::start(&server, "phone").await;
    let url = server.at(&format!("/openapi/v1/oauth/device/sso-initiate?user_code={}", device.user_code));
    service.behave(Behaviour::Fixed(500, "application/json", "{}".to_owned()));
    let (_, context) = sent(url, 503).await;
    let request = collector.wait_for("of the request", |span| span.name.ends_with("/sso-initiate")).await;
    let call = collector.wait_for_call(&request, "dify-enterprise").await;
    assert_eq!(context, traceparent(&call));
    let found = attributes(&call.attributes);
    assert_eq!(found["http.response.status_code"], Value::IntValue(500));
    assert_eq!(found["error.type"], text("500"));
    assert_eq!(call.status.unwrap().code, StatusCode::Error as i32);
    // The request failed, too.
    let found = attributes(&request.attributes);
    assert_eq!(found["http.response.status_code"], Value::IntValue(503));
    assert_eq!(found["error.type"], text("503"));
    assert_eq!(request.status.unwrap().code, StatusCode::Error as i32);
}
