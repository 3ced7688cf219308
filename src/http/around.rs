//! A layer that is one asynchronous function around the service below. Unlike axum's `from_fn`, it boxes neither the
//! service nor its future, because every request passes several such layers.

use std::{
    convert::Infallible,
    mem,
    task::{Context, Poll},
};

use axum::{extract::Request, response::Response};
use tower::{Layer, Service};

/// A layer of `handle`, which gets the state, the request and the service below.
pub(crate) const fn around<T, F>(state: T, handle: F) -> AroundLayer<T, F> {
    AroundLayer { state, handle }
}

#[derive(Clone)]
pub(crate) struct AroundLayer<T, F> {
    state: T,
    handle: F,
}

impl<S, T: Clone, F: Clone> Layer<S> for AroundLayer<T, F> {
    type Service = Around<S, T, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Around { inner, state: self.state.clone(), handle: self.handle.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct Around<S, T, F> {
    inner: S,
    state: T,
    handle: F,
}

impl<S, T, F, R> Service<Request> for Around<S, T, F>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
    T: Clone,
    F: Fn(T, Request, S) -> R,
    R: Future<Output = Result<Response, Infallible>>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = R;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> R {
        let next = self.inner.clone();
        let ready = mem::replace(&mut self.inner, next);
        (self.handle)(self.state.clone(), request, ready)
    }
}
