//! The version of the catalog in responses, and the answer to clients whose catalog is not the server's (contract
//! section C3).
//!
//! Such a client is served whenever it can be. Only where the reason of a failure may be its catalog, an unknown route
//! or member, the answer is 412 `catalog_stale`, upon which it fetches the catalog and tries once more.

use std::{convert::Infallible, sync::Arc};

use axum::{extract::Request, response::Response};
use http::HeaderName;
use tower::Service;

use super::settings::EdgeSettings;
use crate::{
    domain::{Code, Error},
    http::{
        error_body::{self, ErrorSummary},
        fallback::UnknownPath,
    },
    pipeline::policy::Policy,
    rpc::catalog::CATALOG_HEADER,
};

const HEADER: HeaderName = HeaderName::from_static(CATALOG_HEADER);
/// The paths of the API.
const API: &str = "/openapi/v1/";

pub(super) async fn check<S>(edge: Arc<EdgeSettings>, request: Request, mut inner: S) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    if !request.uri().path().starts_with(API) {
        return inner.call(request).await;
    }
    let is_stale = request.headers().get(HEADER).is_some_and(|version| version != edge.catalog_version);
    let mut response = inner.call(request).await?;
    if is_stale && is_unknown(&response) {
        // The policy names the route in log and metrics.
        let policy = response.extensions().get::<&'static Policy>().copied();
        response = error_body::respond(&stale(), policy);
        if let Some(policy) = policy {
            response.extensions_mut().insert(policy);
        }
    }
    response.headers_mut().insert(HEADER, edge.catalog_version.clone());
    Ok(response)
}

/// Whether the route does not exist, or the method does not know a member of the request.
fn is_unknown(response: &Response) -> bool {
    let extensions = response.extensions();
    extensions.get::<UnknownPath>().is_some()
        || extensions.get::<ErrorSummary>().is_some_and(|error| error.has_unknown_member)
}

fn stale() -> Error {
    Error::new(Code::CatalogStale, "The client works from a catalog that this server does not have.")
        .with_hint("Run `difyctl refresh cache`, or update difyctl.")
}
