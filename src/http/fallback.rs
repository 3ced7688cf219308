//! Responses to unknown paths, and to other methods of known paths. `pages::PageRoutes::not_found` responds to unknown
//! paths of pages.

use axum::{extract::Request, response::Response};

use super::{error_body, grpc_door};
use crate::domain::{Code, Error};

/// The extension of the response to an unknown path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnknownPath;

/// The response to an unknown path. It is the same for a method that is absent in this deployment.
pub(crate) async fn not_found(request: Request) -> Response {
    if grpc_door::speaks_grpc(request.headers()) {
        return grpc_door::unimplemented();
    }
    let mut response = error_body::respond(&Error::not_found("There is nothing at this address."), None);
    response.extensions_mut().insert(UnknownPath);
    response
}

/// The response to a known path with another method. The router adds `Allow`.
pub(crate) async fn method_not_allowed() -> Response {
    error_body::respond(&Error::new(Code::MethodNotAllowed, "This address does not support this method."), None)
}
