//! Reads a message from a body, within limits of size, memory and time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
    request::Parts,
};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::bind::{self, BindMembers, Source};
use crate::{
    domain::{Code, Error, Result},
    http::{anonymous::AnonymousRequest, media_type::MediaType, memory_owner::memory_owner},
    memory::{MemoryKind, MemoryLedger, MemoryPermit, weight::json_weight},
    pipeline::policy::Policy,
};

/// Limit of the time that a body takes to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// The memory of a body grows in steps of this many bytes.
const STEP: usize = 4 << 10;

/// A body that has arrived, with its memory.
pub struct ReceivedBody {
    pub bytes: Bytes,
    /// Dropped with the bytes.
    pub(crate) memory: MemoryPermit,
}

/// Reads a message from the body and the path. Returns it with the memory of what was parsed.
pub(crate) async fn bound<M>(
    parts: &mut Parts,
    body: Body,
    policy: &Policy,
    memory: &MemoryLedger,
) -> Result<(M, MemoryPermit)>
where
    M: BindMembers + DeserializeOwned + Default,
{
    let (message, memory) = message(parts, body, policy, memory).await?;
    Ok((bind::path(parts, message, policy).await?, memory))
}

/// Reads a message from the body. Returns it with the memory of what was parsed. An empty body is a message without
/// members.
pub async fn message<M>(parts: &Parts, body: Body, policy: &Policy, memory: &MemoryLedger) -> Result<(M, MemoryPermit)>
where
    M: BindMembers + DeserializeOwned + Default,
{
    let kind = MediaType::of(&parts.headers)?;
    if parts.headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Error::new(Code::UnsupportedMediaType, "Compressed request bodies are not supported."));
    }
    let received = read(parts, body, policy.max_body, memory).await?;
    let bytes = &received.bytes;
    let is_form = match kind {
        MediaType::Form if policy.form => true,
        MediaType::Form | MediaType::Multipart | MediaType::Other => return Err(unsupported(policy.form)),
        MediaType::Json | MediaType::None => false,
    };
    // Before anything is parsed: a small text may become a thousand times as large.
    let weight = if is_form { bytes.len() } else { json_weight(bytes) };
    let parsed = memory.reserve_for(memory_owner(&parts.extensions), MemoryKind::Json, weight)?;
    let message = if is_form {
        let mut message = M::default();
        bind::members(&mut message, bytes, Source::Form)?;
        message
    } else {
        json(bytes)?
    };
    Ok((message, parsed))
}

/// Parses a message. An empty text is a message without members.
fn json<M: BindMembers + DeserializeOwned + Default>(text: &[u8]) -> Result<M> {
    if text.is_empty() {
        return Ok(M::default());
    }
    // serde does not check the texts of unknown members.
    let text = str::from_utf8(text).map_err(|_| not_json())?;
    let object = text.trim_ascii_start().starts_with('{');
    match serde_json::from_str(text) {
        Ok(message) if object => {
            bind::known_members::<M>(text)?;
            Ok(message)
        }
        Err(error) if object || !error.is_data() => Err(malformed(&error)),
        // serde also accepts an array of the members' values.
        _ => Err(not_an_object()),
    }
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
        _ => return not_json(),
    };
    Error::new(Code::InvalidRequest, message)
}

fn not_json() -> Error {
    Error::new(Code::InvalidRequest, "The body is not valid JSON.")
}

/// Reads null as an empty list.
pub fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(source: D) -> Result<Vec<T>, D::Error> {
    Option::deserialize(source).map(Option::unwrap_or_default)
}

/// Reads at most `max` bytes, which must arrive in time. Their memory is reserved before they are read.
pub(crate) async fn read(parts: &Parts, body: Body, max: usize, memory: &MemoryLedger) -> Result<ReceivedBody> {
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > max) {
        return Err(too_large(max));
    }
    let mut permit = memory.permit(MemoryKind::Bodies, Some(memory_owner(&parts.extensions)));
    let bytes = if body.is_end_stream() {
        Bytes::new()
    } else {
        let _place = AnonymousRequest::body_of(&parts.extensions)?;
        permit.resize(STEP.min(max))?;
        tokio::time::timeout(READ_TIMEOUT, collect(body, max, &mut permit))
            .await
            .map_err(|_| Error::new(Code::InvalidRequest, "The request body took too long to arrive."))??
    };
    Ok(ReceivedBody { bytes, memory: permit })
}

/// Collects a body. The permit grows with what has arrived, not with what is announced.
async fn collect(mut body: Body, max: usize, permit: &mut MemoryPermit) -> Result<Bytes> {
    let mut received = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::new(Code::InvalidRequest, "The request body ended unexpectedly."))?;
        let Ok(piece) = frame.into_data() else { continue };
        let length = received.len() + piece.len();
        if length > max {
            return Err(too_large(max));
        }
        if length > permit.bytes() {
            // By half each time, so that few copies are made.
            permit.resize(length.max(permit.bytes() * 3 / 2).next_multiple_of(STEP))?;
        }
        if received.is_empty() && body.is_end_stream() {
            return Ok(piece);
        }
        received.reserve_exact(permit.bytes().saturating_sub(received.len()));
        // A copy, because a piece may keep a larger buffer of its connection.
        received.extend_from_slice(&piece);
    }
    Ok(received.into())
}

fn too_large(max: usize) -> Error {
    Error::new(Code::RequestEntityTooLarge, format!("The body may be at most {} KiB.", max / 1024))
}
