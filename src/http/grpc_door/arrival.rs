//! Receives the message of an admitted call: bounded in size, memory and time, and weighed before it is decoded.

use std::convert::Infallible;

use axum::{body::Body, extract::Request, response::Response};
use bytes::Bytes;
use http::request::Parts;
use tonic::Status;
use tower::Service;

use super::compression::{self, FRAME_HEADER};
use crate::{
    domain::Error,
    http::{codec::body, memory_owner::memory_owner},
    memory::{MemoryKind, MemoryLedger, MemoryPermit},
    pipeline::policy::Policy,
    rpc::json::weight::structs_weight,
};

/// Passes the call on with a body that has arrived. The memory is held until the answer begins; a run has its own by
/// then.
pub(super) async fn receive<S>(memory: MemoryLedger, request: Request, mut inner: S) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let Some(policy) = Policy::of_grpc_path(request.uri().path()) else { return inner.call(request).await };
    if policy.uploads {
        // Its messages are read one by one.
        return inner.call(request).await;
    }
    let (parts, body) = request.into_parts();
    let received = match body::read(&parts, body, policy.max_body + FRAME_HEADER, &memory).await {
        Ok(received) => received,
        Err(error) => return Ok(refused(error)),
    };
    let (bytes, _plain) = match plain(&parts, received.bytes, policy.max_body, &memory) {
        Ok(plain) => plain,
        Err(error) => return Ok(refused(error)),
    };
    let message = bytes.get(FRAME_HEADER..).unwrap_or_default();
    let weight = structs_weight(message, policy.struct_fields);
    let _parsed = match memory.reserve_for(memory_owner(&parts.extensions), MemoryKind::Json, weight) {
        Ok(permit) => permit,
        Err(error) => return Ok(refused(error.into())),
    };
    let _received = received.memory;
    inner.call(Request::from_parts(parts, Body::from(bytes))).await
}

/// The message, decompressed, and the memory of that, which is reserved first.
fn plain(
    parts: &Parts,
    bytes: Bytes,
    max: usize,
    memory: &MemoryLedger,
) -> Result<(Bytes, Option<MemoryPermit>), Error> {
    if !compression::is_compressed(&parts.headers, &bytes) {
        return Ok((bytes, None));
    }
    let permit = memory.reserve_for(memory_owner(&parts.extensions), MemoryKind::Bodies, max)?;
    Ok((compression::decompress(&bytes, max)?, Some(permit)))
}

fn refused(error: Error) -> Response {
    Status::from(error).into_http()
}
