//! Health, reflection, and unimplemented methods.

use std::collections::BTreeSet;

use dify_openapi::testing::{
    pipeline::Policy,
    rpc::proto::{
        CreateDeviceCodeRequest, DESCRIPTORS, GetAccountRequest, GetHealthRequest, IntrospectTokenRequest,
        ResolveTokenRequest, device_flow_service_client::DeviceFlowServiceClient,
        identity_service_client::IdentityServiceClient,
    },
};
use prost::Message as _;
use tokio_stream::StreamExt as _;
use tonic::{Code, codec::CompressionEncoding};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::{
    v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
    v1alpha,
};

use crate::support::{
    Bearer, Browser, Stores, TestServer,
    grpc::{Clients, call_empty, channel, internal_channel, reason, with_bearer, with_metadata},
    server::{OWNER, SERVICE_KEY},
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
        let service = "dify.openapi.v1.IdentityService".to_owned();
        let answer = client.check(HealthCheckRequest { service }).await.unwrap().into_inner();
        assert_eq!(answer.status(), tonic_health::ServingStatus::Serving.into());
        for service in ["nothing.Service", "dify.openapi.v1.ConsoleService"] {
            let unknown = client.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap_err();
            assert_eq!((unknown.code(), reason(&unknown).as_str()), (Code::NotFound, "not_found"), "{service}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_names_internal_services_on_the_internal_listener_only() {
    let server = TestServer::start(Stores::Sqlite).await;
    let service = "dify.openapi.v1.TokenService";
    let check = async |channel| {
        HealthClient::new(channel).check(HealthCheckRequest { service: service.to_owned() }).await.is_ok()
    };
    assert!(check(internal_channel(&server).await).await);
    assert!(!check(channel(&server).await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_health_and_reflection_carry_error_info() {
    let server = TestServer::start(Stores::Sqlite).await;
    for path in [
        "/grpc.health.v1.Health/Nothing",
        "/grpc.reflection.v1.ServerReflection/Nothing",
        "/grpc.reflection.v1alpha.ServerReflection/Nothing",
    ] {
        let status = call_empty(channel(&server).await, path, &[]).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "unimplemented"), "{path}");
    }
}

/// The methods of the descriptors, like `AppService.RunApp`, with their comments.
fn described_methods() -> Vec<(String, String)> {
    let set = prost_types::FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut methods = Vec::new();
    for file in set.file.iter().filter(|file| file.package() == "dify.openapi.v1") {
        let locations = &file.source_code_info.as_ref().unwrap().location;
        for (service, number) in file.service.iter().zip(0..) {
            assert!(!service.method.is_empty(), "{} is empty", service.name());
            for (method, place) in service.method.iter().zip(0..) {
                let comment = locations.iter().find(|location| location.path == [6, number, 2, place]);
                let comment = comment.map_or("", |comment| comment.leading_comments()).trim().to_owned();
                methods.push((format!("{}.{}", service.name(), method.name()), comment));
            }
        }
    }
    methods
}

#[test]
fn descriptors_have_exactly_the_methods_of_grpc_with_their_comments() {
    let described = described_methods();
    let names: BTreeSet<_> = described.iter().map(|(name, _)| name.as_str()).collect();
    let served = Policy::all().filter(|policy| !policy.json_only && !policy.grpc_path.is_empty());
    assert_eq!(names, served.map(|policy| policy.method).collect());
    assert!(!names.contains("DeviceFlowService.DenyDevice") && !names.contains("ConsoleService.Login"), "{names:?}");
    let comment = |name: &str| described.iter().find(|(found, _)| found == name).unwrap().1.clone();
    assert_eq!(comment("TokenService.ResolveToken"), "Resolve a token as a bearer request does, with the same errors.");
    assert!(comment("ConnectionService.GetCredentials").starts_with("Get current credentials"));
    assert!(comment("DeviceFlowService.LookupUserCode").starts_with("Look up whether"));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_compressed_in_both_directions() {
    let server = TestServer::start(Stores::Sqlite).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let client = IdentityServiceClient::new(channel(&server).await);
    let mut client = client.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
    let answer = client.get_account(with_bearer(GetAccountRequest {}, &bearer.token)).await.unwrap();
    assert_eq!(answer.metadata().get("grpc-encoding").unwrap(), "gzip");
    assert_eq!(answer.into_inner().subject_email, OWNER);
    let plain = IdentityServiceClient::new(channel(&server).await);
    let answer = plain.clone().get_account(with_bearer(GetAccountRequest {}, &bearer.token)).await.unwrap();
    assert!(answer.metadata().get("grpc-encoding").is_none());

    let client = DeviceFlowServiceClient::new(channel(&server).await).send_compressed(CompressionEncoding::Gzip);
    for (length, expected) in [(300, Code::InvalidArgument), (1 << 20, Code::ResourceExhausted)] {
        let request =
            CreateDeviceCodeRequest { client_id: "difyctl".to_owned(), device_label: Some("x".repeat(length)) };
        let status = client.clone().create_device_code(request).await.unwrap_err();
        assert_eq!(status.code(), expected, "{length} {status:?}");
        assert!(!reason(&status).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_is_served_only_when_enabled() {
    let server = TestServer::start(Stores::Sqlite).await;
    let services = reflected(channel(&server).await).await.unwrap();
    for name in ["dify.openapi.v1.IdentityService", "dify.openapi.v1.DeviceFlowService", "grpc.health.v1.Health"] {
        assert!(services.iter().any(|service| service == name), "{name} in {services:?}");
    }
    assert!(!services.iter().any(|service| service.contains("Console")), "{services:?}");
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
