//! Where nothing is: unknown paths and known paths with another verb, in the door's own words. Where people look, among the
//! pages, they get a page instead: see `pages::PageRoutes::not_found`.

use axum::{extract::Request, response::Response};

use super::{error_body, grpc_door};
use crate::domain::{Code, Error};

/// An unknown path. It reads the same whether a method is absent here or was never written.
pub(crate) async fn not_found(request: Request) -> Response {
    if grpc_door::speaks_grpc(request.headers()) {
        return grpc_door::unimplemented();
    }
    error_body::respond(&Error::not_found("There is nothing at this address."), None)
}

/// A known path with another verb; the router adds `Allow`.
pub(crate) async fn method_not_allowed() -> Response {
    error_body::respond(&Error::new(Code::MethodNotAllowed, "This address does not support this method."), None)
}
