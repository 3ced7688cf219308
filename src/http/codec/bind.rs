//! Binding members of the query, a form or the path into a message, by name.

use std::{
    collections::HashSet,
    str::{FromStr, Utf8Error},
};

use axum::extract::{FromRequestParts as _, RawPathParams};
use http::request::Parts;
use percent_encoding::percent_decode;

use crate::domain::{Code, Error, Result, error::Detail};

/// A message that is filled member by member; generated.
pub trait BindMembers {
    /// Whether unknown members are refused.
    const STRICT: bool;
    /// Sets a member from text: whether there is one of that name, or what is wrong with the text.
    fn set(&mut self, name: &str, value: &str) -> Result<bool, String>;
}

/// An integer member.
pub(crate) fn integer<T: FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| "must be a whole number within range".to_owned())
}

/// A boolean member.
pub(crate) fn boolean(value: &str) -> Result<bool, String> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A member that lists words, separated by commas.
pub(crate) fn list(value: &str, words: &mut Vec<String>) {
    words.extend(value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned));
}

/// Where members came from; it decides how a fault reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The query: understood but out of range, 422.
    Query,
    /// A form: a body of the wrong shape, 400.
    Form,
}

/// Binds URL-encoded members. A parameter given twice is refused (RFC 6749 section 3.1).
pub(crate) fn members<M: BindMembers>(message: &mut M, encoded: &[u8], source: Source) -> Result<()> {
    let mut seen = HashSet::new();
    for (name, value) in pairs(encoded).map_err(|_| not_text(source))? {
        match message.set(&name, &value) {
            Ok(true) if !seen.insert(name.clone().into_owned()) => {
                return Err(fault(source, &name, "given more than once", "duplicate"));
            }
            Ok(false) if M::STRICT => return Err(fault(source, &name, "unknown parameter", "extra_forbidden")),
            Ok(_) => {}
            Err(wrong) => return Err(fault(source, &name, &wrong, "type_error")),
        }
    }
    Ok(())
}

/// Names and values of URL-encoded members, decoded. The crate alone would put a replacement for what is not UTF-8.
pub(crate) fn pairs(encoded: &[u8]) -> Result<form_urlencoded::Parse<'_>, Utf8Error> {
    // What separates members is ASCII, so the whole is text where each of them is.
    percent_decode(encoded).decode_utf8()?;
    Ok(form_urlencoded::parse(encoded))
}

fn not_text(source: Source) -> Error {
    match source {
        Source::Query => Error::new(Code::InvalidParam, "The query is not UTF-8 text."),
        Source::Form => Error::new(Code::InvalidRequest, "The form is not UTF-8 text."),
    }
}

fn fault(source: Source, name: &str, msg: &str, kind: &'static str) -> Error {
    let name: String = name.chars().filter(|symbol| !symbol.is_control()).take(64).collect();
    let (code, place) = match source {
        Source::Query => (Code::InvalidParam, "query"),
        Source::Form => (Code::InvalidRequest, "body"),
    };
    let detail = Detail { kind, loc: vec![place.to_owned(), name.clone()], msg: msg.to_owned() };
    Error::new(code, format!("{name}: {msg}")).with_detail(detail)
}

/// A message from the query and the path.
pub(crate) async fn query<M: BindMembers + Default>(parts: &mut Parts) -> Result<M> {
    let mut message = M::default();
    if let Some(encoded) = parts.uri.query() {
        // Only what the path does not bind; a member of both is the path's.
        members(&mut message, encoded.as_bytes(), Source::Query)?;
    }
    path(parts, message).await
}

/// Binds what the path carries into a message.
pub(crate) async fn path<M: BindMembers>(parts: &mut Parts, mut message: M) -> Result<M> {
    // A path that does not decode names nothing.
    let nothing = || Error::not_found("Not found.");
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| nothing())?;
    for (name, value) in &params {
        message.set(name, value).map_err(|_| nothing())?;
    }
    Ok(message)
}
