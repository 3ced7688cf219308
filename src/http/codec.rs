//! The JSON codec: reads a prost message from query, form, path or JSON body, calls the service and writes its response
//! as JSON. The generated routes and bindings (`http::routes`) call it.

pub(crate) mod bind;
pub mod body;
pub(crate) mod enumeration;
mod events;
mod route;
mod run_form;
mod run_members;
mod upload_file;

use std::future::Future;

use axum::{extract::Request, response::Response};
use http::{StatusCode, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use tonic::{Status, metadata::MetadataMap};

use self::bind::BindMembers;
use self::route::{failure, route};
pub(crate) use self::{
    events::{events, query_events},
    route::JsonRoute,
    upload_file::upload_file,
};
use super::{answer, error_body, status::reply_status};
use crate::{
    domain::Error,
    pipeline::policy::Policy,
    rpc::{
        Rpc,
        reply::{EntityTag, Redirect, SetCookies},
    },
};

/// The route of a method whose message is in the query and the path.
pub(crate) fn query<M, R, F, Fut>(policy: &'static Policy, rpc: &Rpc, call: F) -> JsonRoute
where
    M: BindMembers + Default + Send + 'static,
    R: Serialize + Send,
    F: Fn(Rpc, tonic::Request<M>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<tonic::Response<R>, Status>> + Send,
{
    let rpc = rpc.clone();
    route(policy, move |request: Request| {
        let (rpc, call) = (rpc.clone(), call.clone());
        async move {
            let (mut parts, _) = request.into_parts();
            match bind::query::<M>(&mut parts, policy).await {
                Ok(message) => call_with(policy, rpc, parts, message, call).await,
                Err(error) => error_body::respond(&error, Some(policy)),
            }
        }
    })
}

/// The route of a method whose message is in the path and in the body: JSON, or a form if the policy allows it.
pub fn body<M, R, F, Fut>(policy: &'static Policy, rpc: &Rpc, call: F) -> JsonRoute
where
    M: BindMembers + DeserializeOwned + Default + Send + 'static,
    R: Serialize + Send,
    F: Fn(Rpc, tonic::Request<M>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<tonic::Response<R>, Status>> + Send,
{
    let rpc = rpc.clone();
    route(policy, move |request: Request| {
        let (rpc, call) = (rpc.clone(), call.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            match body::bound::<M>(&mut parts, body, policy, rpc.memory()).await {
                Ok((message, _memory)) => call_with(policy, rpc, parts, message, call).await,
                Err(error) => error_body::respond(&error, Some(policy)),
            }
        }
    })
}

async fn call_with<M, R, F, Fut>(policy: &'static Policy, rpc: Rpc, parts: Parts, message: M, call: F) -> Response
where
    R: Serialize,
    F: Fn(Rpc, tonic::Request<M>) -> Fut,
    Fut: Future<Output = Result<tonic::Response<R>, Status>>,
{
    let request = tonic::Request::from_parts(MetadataMap::from_headers(parts.headers), parts.extensions, message);
    match call(rpc, request).await {
        Ok(reply) => success(reply),
        Err(status) => failure(policy, &status),
    }
}

fn success<R: Serialize>(reply: tonic::Response<R>) -> Response {
    let (_, message, mut extensions) = reply.into_parts();
    let entity_tag = extensions.remove::<EntityTag>();
    if let Some(EntityTag { tag, is_known: true }) = &entity_tag {
        return answer::not_modified(tag);
    }
    let bytes = match serde_json::to_vec(&message) {
        Ok(bytes) => bytes,
        Err(error) => return error_body::respond(&Error::internal(error), None),
    };
    let mut response = match extensions.remove::<Redirect>() {
        Some(Redirect(location)) => answer::redirect(StatusCode::FOUND, &location),
        None => match extensions.remove().map_or(StatusCode::OK, reply_status) {
            StatusCode::NO_CONTENT => answer::no_content(),
            status => answer::json(status, bytes),
        },
    };
    if let Some(EntityTag { tag, .. }) = entity_tag {
        answer::set_entity_tag(&mut response, &tag);
    }
    if let Some(cookies) = extensions.remove::<SetCookies>() {
        answer::set_cookies(&mut response, &cookies);
    }
    response
}
