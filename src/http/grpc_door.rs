//! The gRPC door: tonic's services behind the pipeline, and the health and reflection services.

mod arrival;
mod bounds;
mod compression;
mod health;
mod protocol;

use std::collections::BTreeSet;

use axum::{Router, body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Request, header::CONTENT_TYPE};
use http_body_util::Limited;
use tonic::{Status, codec::CompressionEncoding, server::NamedService};
use tonic_health::server::HealthReporter;
use tower::{ServiceBuilder, ServiceExt as _};

pub(crate) use self::{health::GrpcHealth, protocol::translate_web};
use crate::{
    domain::{Code, Error, Result},
    http::around::around,
    pipeline::{
        Pipeline,
        layer::{PipelineDoor, PipelineLayer},
        policy::{POLICIES, Policy},
    },
    rpc::{
        Rpc,
        proto::{
            self, app_service_server::AppServiceServer, connection_service_server::ConnectionServiceServer,
            device_flow_service_server::DeviceFlowServiceServer, dsl_service_server::DslServiceServer,
            file_service_server::FileServiceServer, identity_service_server::IdentityServiceServer,
            member_service_server::MemberServiceServer, meta_service_server::MetaServiceServer,
            permitted_external_app_service_server::PermittedExternalAppServiceServer,
            run_service_server::RunServiceServer, session_service_server::SessionServiceServer,
            single_sign_on_service_server::SingleSignOnServiceServer, token_service_server::TokenServiceServer,
            workspace_service_server::WorkspaceServiceServer,
        },
    },
};

/// Limit of all messages of a call of the health or the reflection service, in bytes.
const MAX_STANDARD_BODY: usize = 64 << 10;

/// Finds policies by path. Methods that are JSON only or not mounted on this listener are unimplemented.
#[derive(Clone)]
struct GrpcDoor<F>(F);

impl<F: Fn(&Policy) -> bool + Clone + Send + Sync + 'static> PipelineDoor<Body> for GrpcDoor<F> {
    type Body = Body;

    fn policy(&self, pipeline: &Pipeline, request: &Request<Body>) -> Option<&'static Policy> {
        Policy::of_grpc_path(request.uri().path())
            .filter(|policy| !policy.json_only && (self.0)(policy) && pipeline.has(policy))
    }

    fn reject(&self, _: Option<&'static Policy>, error: Error) -> Response {
        Status::from(error).into_http()
    }
}

/// The services of one listener, whose health is added to `health`. `mounted` selects the methods that it serves.
pub(crate) fn router<F>(
    rpc: &Rpc,
    pipeline: &Pipeline,
    reflection: bool,
    health: &GrpcHealth,
    mounted: F,
) -> Result<Router>
where
    F: Fn(&Policy) -> bool + Clone + Send + Sync + 'static,
{
    let layer = PipelineLayer::new(pipeline.clone(), GrpcDoor(mounted.clone()));
    let mut router = Router::new();
    macro_rules! mount {
        ($($server:ident),*) => {$(
            for (path, max_body) in method_limits::<$server<Rpc>>() {
                let service = $server::new(rpc.clone())
                    .max_decoding_message_size(max_body)
                    .accept_compressed(CompressionEncoding::Gzip)
                    .send_compressed(CompressionEncoding::Gzip)
                    .map_request(tonic_body);
                let service = ServiceBuilder::new()
                    .layer(around((), protocol::require))
                    .layer(around((), bounds::enforce_deadline))
                    .layer(layer.clone())
                    .layer(around(rpc.memory().clone(), arrival::receive))
                    .service(service.map_response(axum_body));
                router = router.route_service(&path, service);
            }
        )*};
    }
    mount!(
        AppServiceServer,
        DeviceFlowServiceServer,
        DslServiceServer,
        FileServiceServer,
        IdentityServiceServer,
        MemberServiceServer,
        PermittedExternalAppServiceServer,
        RunServiceServer,
        SessionServiceServer,
        SingleSignOnServiceServer,
        WorkspaceServiceServer,
        ConnectionServiceServer,
        TokenServiceServer,
        MetaServiceServer
    );
    let standard = standard_services(reflection, health.start(served_services(mounted)))?
        .layer(around((), bounds::enforce_standard_deadline))
        .layer(around((), protocol::require));
    Ok(router.merge(standard))
}

/// The names of the services with a method that this listener serves over gRPC.
fn served_services(mounted: impl Fn(&Policy) -> bool) -> BTreeSet<&'static str> {
    let served = POLICIES.iter().filter(|policy| !policy.json_only && mounted(policy));
    served.filter_map(|policy| policy.grpc_path.split('/').nth(1)).collect()
}

/// The health service, and the reflection service if it is enabled.
fn standard_services(reflection: bool, health: HealthReporter) -> Result<Router> {
    let health = tonic_health::server::HealthService::from_health_reporter(health);
    let health = tonic_health::pb::health_server::HealthServer::new(health);
    let mut router = Router::new()
        .route_service("/grpc.health.v1.Health/{*method}", health.map_request(small_body).map_response(axum_body));
    if reflection {
        let service = descriptors().build_v1().map_err(Error::internal)?;
        let service = service.map_request(small_body).map_response(axum_body);
        router = router.route_service("/grpc.reflection.v1.ServerReflection/{*method}", service);
        // Older clients know the first version only.
        let service = descriptors().build_v1alpha().map_err(Error::internal)?;
        let service = service.map_request(small_body).map_response(axum_body);
        router = router.route_service("/grpc.reflection.v1alpha.ServerReflection/{*method}", service);
    }
    Ok(router)
}

/// What the reflection services serve.
fn descriptors() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// The routes of a service with the limits of their messages: one for each method, and one for methods that do not
/// exist.
///
/// tonic has one limit for a service, so each method is mounted on its own.
fn method_limits<S: NamedService>() -> impl Iterator<Item = (String, usize)> {
    let of_service = |policy: &&Policy| policy.grpc_path.split('/').nth(1) == Some(S::NAME);
    let methods = POLICIES.iter().filter(of_service).map(|policy| (policy.grpc_path.to_owned(), policy.max_body));
    methods.chain([(format!("/{}/{{*method}}", S::NAME), 0)])
}

fn tonic_body(request: Request<Body>) -> Request<tonic::body::Body> {
    request.map(tonic::body::Body::new)
}

/// A body of a standard service, whose messages are small.
fn small_body(request: Request<Body>) -> Request<tonic::body::Body> {
    request.map(|body| tonic::body::Body::new(Limited::new(body, MAX_STANDARD_BODY)))
}

fn axum_body(response: http::Response<tonic::body::Body>) -> Response {
    response.map(Body::new)
}

/// Whether the headers are those of a gRPC request or response.
pub(crate) fn speaks_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The response to a call of a method that does not exist.
pub(crate) fn unimplemented() -> Response {
    Status::from(Error::new(Code::Unimplemented, "There is no such method.")).into_http()
}
