//! Health, reflection, and unimplemented methods.

use dify_openapi::testing::rpc::proto::{GetHealthRequest, IntrospectTokenRequest, ResolveTokenRequest};
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::{
    v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
    v1alpha,
};

use crate::support::{
    Browser, Stores, TestServer,
    grpc::{Clients, call_empty, channel, internal_channel, reason, with_metadata},
    server::SERVICE_KEY,
};

/// The services that reflection lists; `None` without reflection.
async fn reflected(channel: tonic::transport::Channel) -> Option<Vec<String>> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.ok()?.into_inner();
    match answers.next().await?.unwrap().message_response? {
        MessageResponse::ListServicesResponse(list) => {
            Some(list.service.into_iter().map(|service| service.name).collect())
        }
        _ => None,
    }
}

/// Whether `v1alpha` of the reflection service answers.
async fn reflected_in_the_first_version(channel: tonic::transport::Channel) -> bool {
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::ListServices(String::new())),
    };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let Ok(answers) = client.server_reflection_info(tokio_stream::once(request)).await else { return false };
    answers.into_inner().next().await.is_some_and(|answer| answer.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn public_port_serves_json_and_grpc() {
    let server = TestServer::start(Stores::Sqlite).await;
    assert_eq!(Browser::anonymous(&server).get("/openapi/v1/_health").await.0, 200);
    let mut clients = Clients::on(channel(&server).await);
    assert!(clients.meta.get_health(GetHealthRequest {}).await.unwrap().into_inner().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_listener_serves_no_json() {
    let server = TestServer::start(Stores::Sqlite).await;
    let address = server.running().bound.grpc.unwrap();
    let response = reqwest::get(format!("http://{address}/openapi/v1/_health")).await.unwrap();
    assert_eq!(response.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_health_service_is_served() {
    let server = TestServer::start(Stores::Sqlite).await;
    for channel in [channel(&server).await, internal_channel(&server).await] {
        let mut client = HealthClient::new(channel);
        let answer = client.check(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
        assert_eq!(answer.status(), tonic_health::ServingStatus::Serving.into());
        let unknown = client.check(HealthCheckRequest { service: "nothing.Service".to_owned() }).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_is_served_only_when_enabled() {
    let server = TestServer::start(Stores::Sqlite).await;
    let services = reflected(channel(&server).await).await.unwrap();
    for name in ["dify.openapi.v1.IdentityService", "dify.openapi.v1.DeviceFlowService", "grpc.health.v1.Health"] {
        assert!(services.iter().any(|service| service == name), "{name} in {services:?}");
    }
    assert!(reflected_in_the_first_version(channel(&server).await).await);
    let silent = TestServer::start_with(Stores::Sqlite, &[("GRPC_REFLECTION", "false")]).await;
    assert!(!reflected_in_the_first_version(channel(&silent).await).await);
    assert_eq!(reflected(channel(&silent).await).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_internal_methods_return_unimplemented() {
    let server = TestServer::start(Stores::Sqlite).await;
    for path in [
        "/dify.openapi.v1.IdentityService/Nothing",
        "/dify.openapi.v1.NothingService/GetAccount",
        "/nothing.Service/Nothing",
        "/dify.openapi.v1.DeviceFlowService/ApproveDevice",
        "/dify.openapi.v1.ConsoleService/Login",
        "/dify.openapi.v1.TokenService/ResolveToken",
        "/dify.openapi.v1.TokenService/IntrospectToken",
    ] {
        let status = call_empty(channel(&server).await, path, &[]).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "unimplemented"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_service_is_not_served_on_the_public_port() {
    let server = TestServer::start(Stores::Sqlite).await;
    let mut clients = Clients::on(channel(&server).await);
    let resolve =
        with_metadata(ResolveTokenRequest { token: "x".to_owned() }, "enterprise-api-secret-key", SERVICE_KEY);
    assert_eq!(clients.token.resolve_token(resolve).await.unwrap_err().code(), Code::Unimplemented);
    let introspect = IntrospectTokenRequest { token: "x".to_owned(), token_type_hint: None };
    let introspect = with_metadata(introspect, "enterprise-api-secret-key", SERVICE_KEY);
    assert_eq!(clients.token.introspect_token(introspect).await.unwrap_err().code(), Code::Unimplemented);
}
