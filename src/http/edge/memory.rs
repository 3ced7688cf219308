//! Reserves memory for each request before it is handled, and holds it until its answer is written.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{body::Body, extract::Request, response::Response};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use tower::{Layer, Service};

use crate::{
    domain::{Error, caller::ClientAddress},
    http::{
        anonymous::{AnonymousLimits, AnonymousRequest},
        error_body,
        grpc_door::speaks_grpc,
        memory_owner::memory_owner,
    },
    memory::{MemoryKind, MemoryLedger, MemoryPermit, REQUEST_BYTES},
};

/// What a header takes besides its name and its value.
const HEADER_BYTES: usize = 64;

/// Puts [`MemoryGate`] before a service.
#[derive(Clone)]
pub(super) struct MemoryLayer {
    pub memory: MemoryLedger,
    pub anonymous: AnonymousLimits,
}

impl<S> Layer<S> for MemoryLayer {
    type Service = MemoryGate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MemoryGate { inner, memory: self.memory.clone(), anonymous: self.anonymous.clone() }
    }
}

/// A service that only requests with memory reach.
#[derive(Clone)]
pub(super) struct MemoryGate<S> {
    inner: S,
    memory: MemoryLedger,
    anonymous: AnonymousLimits,
}

impl<S> Service<Request> for MemoryGate<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let bytes = REQUEST_BYTES + header_bytes(request.headers()) + request.uri().path().len();
        let owner = memory_owner(request.extensions());
        let address = request.extensions().get::<ClientAddress>().copied();
        let reserved = self.memory.reserve_for(owner, MemoryKind::Connections, bytes);
        match reserved.and_then(|permit| Ok((permit, self.anonymous.begin(address)?))) {
            Ok((permit, anonymous)) => {
                request.extensions_mut().insert(anonymous.clone());
                let response = self.inner.call(request);
                Box::pin(async move { response.await.map(|response| held(response, permit, anonymous)) })
            }
            Err(error) => {
                let is_grpc = speaks_grpc(request.headers());
                Box::pin(async move { Ok(refusal(error.into(), is_grpc)) })
            }
        }
    }
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| HEADER_BYTES + name.as_str().len() + value.len()).sum()
}

fn refusal(error: Error, is_grpc: bool) -> Response {
    if is_grpc { tonic::Status::from(error).into_http() } else { error_body::respond(&error, None) }
}

/// The answer with the request's memory, and its own: a peer that does not read leaves it here.
fn held(response: Response, mut permit: MemoryPermit, anonymous: AnonymousRequest) -> Response {
    if response.body().is_end_stream() {
        return response;
    }
    let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    permit.charge(length.unwrap_or_default());
    response.map(|body| Body::new(HeldBody { body, permit, _anonymous: anonymous }))
}

/// A body with its memory. Each piece takes its share along, since the connection may keep it long after the body
/// ended.
struct HeldBody {
    body: Body,
    permit: MemoryPermit,
    _anonymous: AnonymousRequest,
}

/// A piece of a body with its memory.
struct HeldPiece {
    bytes: Bytes,
    _permit: MemoryPermit,
}

impl AsRef<[u8]> for HeldPiece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HeldBody {
    fn hold(&mut self, bytes: Bytes) -> Bytes {
        if self.permit.bytes() < bytes.len() + REQUEST_BYTES {
            // A stream, whose length is not known before.
            self.permit.charge(bytes.len());
        }
        let permit = self.permit.split(bytes.len());
        Bytes::from_owner(HeldPiece { bytes, _permit: permit })
    }
}

impl http_body::Body for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(|bytes| self.hold(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const KIND: MemoryKind = MemoryKind::Connections;

    #[tokio::test]
    async fn memory_of_an_answer_is_held_until_its_bytes_are_dropped() {
        let memory = MemoryLedger::new(100 << 20);
        let permit = memory.reserve(KIND, REQUEST_BYTES).unwrap();
        let mut body =
            held(Response::new(Body::from(vec![b'x'; 100_000])), permit, AnonymousRequest::default()).into_body();
        assert_eq!(body.size_hint().exact(), Some(100_000));
        assert_eq!(memory.used(KIND), REQUEST_BYTES + 100_000);
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert_eq!((piece.len(), memory.used(KIND)), (100_000, 100_000));
        drop(piece);
        assert_eq!(memory.used(KIND), 0);
    }

    #[tokio::test]
    async fn pieces_of_a_stream_count_until_they_are_dropped() {
        let memory = MemoryLedger::new(100 << 20);
        let pieces = (0..3).map(|_| Ok::<_, Infallible>(Bytes::from(vec![b'x'; 20_000])));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let mut body =
            held(Response::new(body), memory.reserve(KIND, REQUEST_BYTES).unwrap(), AnonymousRequest::default())
                .into_body();
        let mut unread = Vec::new();
        while let Some(frame) = body.frame().await {
            unread.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(memory.used(KIND), REQUEST_BYTES + 60_000);
        drop(unread);
        assert_eq!(memory.used(KIND), REQUEST_BYTES);
    }
}
