//! The pipeline as a tower layer. A door provides the policy and writes errors in its format.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::{Layer, Service};

use super::{Pipeline, policy::Policy};
use crate::{
    domain::{Code, Error},
    telemetry::audit::sign_in::SignInEvent,
};

pub(crate) trait PipelineDoor<B>: Clone + Send + Sync + 'static {
    /// The body type of responses.
    type Body;
    /// The policy of the requested method; `None` when the method does not exist.
    fn policy(&self, pipeline: &Pipeline, request: &Request<B>) -> Option<&'static Policy>;
    /// Writes an error as a response.
    fn reject(&self, policy: Option<&'static Policy>, error: Error) -> Response<Self::Body>;
}

#[derive(Clone)]
pub(crate) struct PipelineLayer<D> {
    pipeline: Pipeline,
    door: D,
}

impl<D> PipelineLayer<D> {
    pub(crate) fn new(pipeline: Pipeline, door: D) -> Self {
        Self { pipeline, door }
    }
}

impl<S, D: Clone> Layer<S> for PipelineLayer<D> {
    type Service = Admitted<S, D>;

    fn layer(&self, inner: S) -> Self::Service {
        Admitted { inner, pipeline: self.pipeline.clone(), door: self.door.clone() }
    }
}

/// A service that only admitted requests reach.
#[derive(Clone)]
pub(crate) struct Admitted<S, D> {
    inner: S,
    pipeline: Pipeline,
    door: D,
}

impl<S, D, B> Service<Request<B>> for Admitted<S, D>
where
    S: Service<Request<B>, Response = Response<D::Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    D: PipelineDoor<B>,
    D::Body: Send,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let (pipeline, door) = (self.pipeline.clone(), self.door.clone());
        Box::pin(async move {
            let Some(policy) = door.policy(&pipeline, &request) else {
                return Ok(door.reject(None, Error::new(Code::Unimplemented, "There is no such method.")));
            };
            let (mut parts, body) = request.into_parts();
            let mut response = match pipeline.admit(policy, &mut parts).await {
                Ok(()) => inner.call(Request::from_parts(parts, body)).await?,
                Err(error) => {
                    if error.code() == Code::CsrfMismatch {
                        SignInEvent::CsrfRejected { method: policy.method }.record();
                    }
                    door.reject(Some(policy), error)
                }
            };
            // The edge reads the labels of the request from it.
            response.extensions_mut().insert(policy);
            Ok(response)
        })
    }
}
