//! `MetaService`.

use tonic::{Request, Response, Status, async_trait};

use super::{json::Object, proto, reply::EntityTag, request::client_generation, services::Rpc};

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
        request: Request<proto::GetVersionRequest>,
    ) -> Result<Response<proto::GetVersionResponse>, Status> {
        let about = &self.services.about;
        let client = client_generation(&request);
        let version = about.version.clone().unwrap_or_else(|| client.dify_version().to_owned());
        let edition = if about.enterprise { "ENTERPRISE" } else { client.community_edition() };
        Ok(Response::new(proto::GetVersionResponse { version, edition: edition.to_owned() }))
    }

    async fn get_catalog(
        &self,
        request: Request<proto::GetCatalogRequest>,
    ) -> Result<Response<proto::GetCatalogResponse>, Status> {
        let catalog = &self.services.catalog;
        let mut response = Response::new(proto::GetCatalogResponse {
            version: catalog.version().to_owned(),
            document: Some(Object::from(catalog.document())),
        });
        response.extensions_mut().insert(EntityTag::new(catalog.version(), &request));
        Ok(response)
    }
}
