//! Reads a message from a body, within limits of size and time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::bind::{self, BindMembers, Source};
use crate::{
    domain::{Code, Error, Result},
    pipeline::policy::Policy,
};

/// Limit of the time that a body takes to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a message from the body and the path.
pub async fn bound<M>(parts: &mut Parts, body: Body, policy: &Policy) -> Result<M>
where
    M: BindMembers + DeserializeOwned + Default,
{
    let message = message(parts, body, policy).await?;
    bind::path(parts, message).await
}

/// Reads a message from the body. An empty body is a message without members.
pub async fn message<M>(parts: &Parts, body: Body, policy: &Policy) -> Result<M>
where
    M: BindMembers + DeserializeOwned + Default,
{
    let kind = media_type(parts)?;
    if parts.headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Error::new(Code::UnsupportedMediaType, "Compressed request bodies are not supported."));
    }
    let bytes = read(parts, body, policy.max_body).await?;
    match kind {
        MediaType::Form if policy.form => {
            let mut message = M::default();
            bind::members(&mut message, &bytes, Source::Form)?;
            Ok(message)
        }
        MediaType::Form | MediaType::Other => Err(unsupported(policy.form)),
        MediaType::Json | MediaType::None if bytes.is_empty() => Ok(M::default()),
        MediaType::Json | MediaType::None => {
            let object = bytes.trim_ascii_start().first() == Some(&b'{');
            match serde_json::from_slice(&bytes) {
                Ok(message) if object => Ok(message),
                Err(error) if object || !error.is_data() => Err(malformed(&error)),
                // serde also accepts an array of the members' values.
                _ => Err(not_an_object()),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum MediaType {
    Json,
    Form,
    Other,
    None,
}

fn media_type(parts: &Parts) -> Result<MediaType> {
    let mut values = parts.headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(MediaType::None) };
    if values.next().is_some() {
        return Err(Error::new(Code::InvalidRequest, "Content-Type appears more than once."));
    }
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(match essence.as_str() {
        "application/json" => MediaType::Json,
        "application/x-www-form-urlencoded" => MediaType::Form,
        _ => MediaType::Other,
    })
}

fn unsupported(form: bool) -> Error {
    let kinds = if form { "application/json or application/x-www-form-urlencoded" } else { "application/json" };
    Error::new(Code::UnsupportedMediaType, format!("Send the body as {kinds}."))
}

fn not_an_object() -> Error {
    Error::new(Code::InvalidRequest, "The body must be a JSON object.")
}

fn malformed(error: &serde_json::Error) -> Error {
    // Only the position is reported: serde's message may quote the value, which may be a secret.
    let message = match error.classify() {
        serde_json::error::Category::Data => {
            format!("A member of the body has the wrong type or appears twice (column {}).", error.column())
        }
        _ => "The body is not valid JSON.".to_owned(),
    };
    Error::new(Code::InvalidRequest, message)
}

/// Reads null as an empty list.
pub fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(source: D) -> Result<Vec<T>, D::Error> {
    Option::deserialize(source).map(Option::unwrap_or_default)
}

/// Reads at most `max` bytes.
pub async fn read(parts: &Parts, body: Body, max: usize) -> Result<Bytes> {
    let too_large = || Error::new(Code::RequestEntityTooLarge, format!("The body may be at most {} KiB.", max / 1024));
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > max) {
        return Err(too_large());
    }
    match tokio::time::timeout(READ_TIMEOUT, Limited::new(body, max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Error::new(Code::InvalidRequest, "The request body ended unexpectedly.")),
        Err(_) => Err(Error::new(Code::InvalidRequest, "The request body took too long to arrive.")),
    }
}
