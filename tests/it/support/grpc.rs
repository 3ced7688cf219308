//! A gRPC client.

use dify_openapi::testing::rpc::proto::{
    app_service_client::AppServiceClient, device_flow_service_client::DeviceFlowServiceClient,
    file_service_client::FileServiceClient, identity_service_client::IdentityServiceClient,
    meta_service_client::MetaServiceClient, run_service_client::RunServiceClient,
    session_service_client::SessionServiceClient, token_service_client::TokenServiceClient,
    workspace_service_client::WorkspaceServiceClient,
};
use tonic::{Request, Status, transport::Channel};
use tonic_types::StatusExt as _;

use super::server::TestServer;

/// A channel to the public listener, which serves JSON and gRPC.
pub async fn channel(server: &TestServer) -> Channel {
    Channel::from_shared(server.url.clone()).unwrap().connect().await.unwrap()
}

/// A channel to the listener of internal services.
pub async fn internal_channel(server: &TestServer) -> Channel {
    let address = server.running().bound.grpc.unwrap();
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// The clients of all services on one channel.
pub struct Clients {
    pub device_flow: DeviceFlowServiceClient<Channel>,
    pub identity: IdentityServiceClient<Channel>,
    pub app: AppServiceClient<Channel>,
    pub file: FileServiceClient<Channel>,
    pub run: RunServiceClient<Channel>,
    pub session: SessionServiceClient<Channel>,
    pub workspace: WorkspaceServiceClient<Channel>,
    pub token: TokenServiceClient<Channel>,
    pub meta: MetaServiceClient<Channel>,
}

impl Clients {
    pub fn on(channel: Channel) -> Self {
        Self {
            device_flow: DeviceFlowServiceClient::new(channel.clone()),
            identity: IdentityServiceClient::new(channel.clone()),
            app: AppServiceClient::new(channel.clone()),
            file: FileServiceClient::new(channel.clone()),
            run: RunServiceClient::new(channel.clone()),
            session: SessionServiceClient::new(channel.clone()),
            workspace: WorkspaceServiceClient::new(channel.clone()),
            token: TokenServiceClient::new(channel.clone()),
            meta: MetaServiceClient::new(channel),
        }
    }
}

/// A message with a bearer token.
pub fn with_bearer<T>(message: T, token: &str) -> Request<T> {
    with_metadata(message, "authorization", &format!("Bearer {token}"))
}

/// A message with one metadata entry.
pub fn with_metadata<T>(message: T, name: &'static str, value: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(name, value.parse().unwrap());
    request
}

/// The `ErrorInfo.reason` of a status in lower case, which is the error code over JSON.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason.to_lowercase()).unwrap_or_default()
}

/// Calls a unary method with an empty message and ignores the response.
pub async fn call_empty(channel: Channel, path: &str, headers: &[(&'static str, String)]) -> Result<(), Status> {
    let mut request = Request::new(());
    for (name, value) in headers {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    client.unary(request, path.parse().unwrap(), codec).await.map(|_| ())
}
