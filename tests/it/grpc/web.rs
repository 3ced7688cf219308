//! gRPC-Web on the same ports as gRPC, and requests that are neither.

use dify_openapi::testing::rpc::proto::{
    GetAccountRequest, app_service_client::AppServiceClient, identity_service_client::IdentityServiceClient,
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use reqwest::Method;
use tonic::{Code, Request};
use tonic_web::GrpcWebClientLayer;
use tower::Layer as _;

use crate::support::{
    Answer, Bearer, Stores, TestServer,
    grpc::{reason, with_bearer},
    logs::Logs,
    runs::{message, talking_app, words},
    server::OWNER,
};

const HEALTH: &str = "/dify.openapi.v1.MetaService/GetHealth";
const ACCOUNT: &str = "/dify.openapi.v1.IdentityService/GetAccount";
const ORIGIN: &str = "https://app.example";
/// An empty message.
const EMPTY: &[u8] = &[0; 5];

/// A gRPC-Web client over HTTP/1.1.
macro_rules! client {
    ($client:ident, $url:expr) => {
        $client::with_origin(
            GrpcWebClientLayer::new().layer(Client::builder(TokioExecutor::new()).build_http()),
            $url.parse().unwrap(),
        )
    };
}

async fn call(server: &TestServer, method: Method, path: &str, kind: &str, body: &'static [u8]) -> Answer {
    let request = reqwest::Client::new().request(method, server.at(path)).header("content-type", kind);
    Answer::to(request.body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn client_over_http_1_reads_messages_and_statuses() {
    let server = TestServer::start(Stores::Sqlite).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let internal = format!("http://{}", server.running().bound.grpc.unwrap());
    for url in [&server.url, &internal] {
        let mut client = client!(IdentityServiceClient, url);
        let account = client.get_account(with_bearer(GetAccountRequest {}, &bearer.token)).await.unwrap().into_inner();
        assert_eq!(account.account.unwrap().email, OWNER);
        let logs = Logs::capture();
        let refused = client.get_account(Request::new(GetAccountRequest {})).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "bearer_missing"));
        let line = logs.matching(&["access", ACCOUNT.trim_start_matches('/'), "UNAUTHENTICATED"]);
        assert_eq!(line.len(), 1, "the access log has the status");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn run_is_streamed() {
    let server = TestServer::start(Stores::Sqlite).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let app = talking_app(&server).await;
    let mut client = client!(AppServiceClient, server.url);
    let run = with_bearer(message(&app, &words(3)), &bearer.token);
    let mut stream = client.run_app(run).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(event) = stream.message().await.unwrap() {
        events.push(event.event);
    }
    assert_eq!(events.iter().filter(|event| *event == "message").count(), 3, "{events:?}");
    assert_eq!(events.last().unwrap(), "workflow_finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_encoding_is_read_and_written() {
    let server = TestServer::start(Stores::Sqlite).await;
    let text = "application/grpc-web-text+proto";
    let request = reqwest::Client::new().post(server.at(HEALTH)).header("content-type", text).header("accept", text);
    let answer = Answer::to(request.body("AAAAAAA=")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, text));
    assert!(answer.text.starts_with("AAAAA"), "{}", answer.text);
    let faulty = call(&server, Method::POST, HEALTH, text, b"AAAA!").await;
    assert_ne!(faulty.header("grpc-status"), "0");
    // Small enough for the buffers of the connection: the server does not read the rest of it.
    let too_large = vec![b'A'; 256 << 10].leak();
    let refused = call(&server, Method::POST, HEALTH, text, too_large).await;
    assert_ne!(refused.header("grpc-status"), "0", "the limit of the method holds for what is decoded");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_origins_read_responses() {
    let server = TestServer::start_with(Stores::Sqlite, &[("OPENAPI_CORS_ALLOW_ORIGINS", ORIGIN)]).await;
    let preflight = |origin: &'static str| {
        let request = reqwest::Client::new().request(Method::OPTIONS, server.at(HEALTH)).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        Answer::to(request.header("access-control-request-headers", "authorization,content-type,x-grpc-web"))
    };
    let allowed = preflight(ORIGIN).await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, ORIGIN));
    assert!(allowed.header("access-control-allow-headers").contains("x-grpc-web"));
    assert_eq!(preflight("https://evil.example").await.header("access-control-allow-origin"), "");
    let request = reqwest::Client::new().post(server.at(HEALTH)).header("content-type", "application/grpc-web+proto");
    let answer = Answer::to(request.header("origin", ORIGIN).body(EMPTY)).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ORIGIN));
    assert!(answer.header("access-control-expose-headers").contains("grpc-status"));
    let closed = TestServer::start(Stores::Sqlite).await;
    let request = reqwest::Client::new().request(Method::OPTIONS, closed.at(HEALTH)).header("origin", ORIGIN);
    assert_eq!(Answer::to(request).await.outcome(), (405, "method_not_allowed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_grpc_are_rejected() {
    let server = TestServer::start(Stores::Sqlite).await;
    let unsupported = (415, "unsupported_media_type".to_owned());
    for path in [HEALTH, ACCOUNT, "/dify.openapi.v1.MetaService/Nothing", "/grpc.health.v1.Health/Check"] {
        for kind in ["", "application/json", "application/proto", "application/grpc+json", "application/grpc-web+json"]
        {
            assert_eq!(call(&server, Method::POST, path, kind, EMPTY).await.outcome(), unsupported, "{path} {kind}");
        }
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            for kind in ["application/grpc", "application/grpc-web", "text/html"] {
                let answer = call(&server, method.clone(), path, kind, EMPTY).await;
                let outcome = (answer.status, answer.header("allow"));
                assert_eq!(outcome, (405, "POST"), "{method} {path} {kind}");
            }
        }
    }
}
