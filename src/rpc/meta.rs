//! `MetaService`.

use tonic::{Request, Response, Status, async_trait};

use super::{proto, services::Rpc};

#[async_trait]
impl proto::meta_service_server::MetaService for Rpc {
    async fn get_health(
        &self,
        _: Request<proto::GetHealthRequest>,
    ) -> Result<Response<proto::GetHealthResponse>, Status> {
        Ok(Response::new(proto::GetHealthResponse { ok: true }))
    }

    async fn get_version(
        &self,
        _: Request<proto::GetVersionRequest>,
    ) -> Result<Response<proto::GetVersionResponse>, Status> {
        let (version, edition) = (self.services.about.version.clone(), self.services.about.edition.to_owned());
        Ok(Response::new(proto::GetVersionResponse { version, edition }))
    }
}
