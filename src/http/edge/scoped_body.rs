//! A body that is read and dropped in the scope of its request.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::telemetry::carry::RequestScope;

pub(super) struct ScopedBody {
    pub(super) scope: RequestScope,
    pub(super) body: Body,
}

impl HttpBody for ScopedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { scope, body } = &mut *self;
        scope.enter(|| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ScopedBody {
    fn drop(&mut self) {
        let body = mem::take(&mut self.body);
        self.scope.enter(|| drop(body));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::stream;
    use http_body_util::BodyExt as _;
    use parking_lot::Mutex;
    use tracing::Span;

    use super::*;
    use crate::telemetry::{request_id, trace};

    /// Notes where it is dropped.
    struct DropNote(Arc<Mutex<Vec<String>>>);

    impl Drop for DropNote {
        fn drop(&mut self) {
            self.0.lock().push(request_id::current().to_string());
        }
    }

    #[tokio::test]
    async fn body_is_read_and_dropped_in_the_scope_of_its_request() {
        let (_, place) = trace::begin(trace::TracedRequest {
            method: "GET",
            door: crate::telemetry::access::Door::Json,
            headers: &http::HeaderMap::new(),
            is_trusted: false,
            id: ID,
        });
        let scope =
            RequestScope { request_id: Arc::from(ID), origin: None, place: Some(place.clone()), span: Span::none() };
        let notes = Arc::<Mutex<Vec<String>>>::default();
        let note = DropNote(Arc::clone(&notes));
        let frames = stream::poll_fn(move |_| {
            let _ = &note;
            let trace = trace::current_place().map(|place| place.trace_id().to_string());
            Poll::Ready(Some(Ok::<_, axum::Error>(format!("{} {trace:?}", request_id::current()))))
        });
        let mut body = ScopedBody { scope, body: Body::from_stream(frames) };
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, format!("{ID} {:?}", Some(place.trace_id().to_string())));
        drop(body);
        assert_eq!(*notes.lock(), [ID]);
        assert_eq!(&*request_id::current(), "");
    }

    const ID: &str = "0198a7a00000700080000000000000a1";
}
