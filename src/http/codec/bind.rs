//! Binds members of the query, a form or the path to a message, by name.

use std::{
    collections::HashSet,
    fmt,
    marker::PhantomData,
    str::{FromStr, Utf8Error},
};

use axum::extract::{FromRequestParts as _, RawPathParams};
use http::request::Parts;
use percent_encoding::percent_decode;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::{
    domain::{
        Code, Error, Result,
        error::{Detail, UNKNOWN_MEMBER},
        text::is_unprintable,
        violations::Violations,
    },
    pipeline::policy::Policy,
};

/// Sets members of a message by name. Implementations are generated.
pub trait BindMembers {
    /// Whether unknown members are rejected.
    const STRICT: bool;
    /// The names of all members.
    const MEMBERS: &[&str];
    /// Members that are lists: they may be given more than once, or once with commas.
    const LISTS: &[&str];
    /// Sets a member from text. Returns whether the member exists, or the reason why the text is not valid.
    fn set(&mut self, name: &str, value: &str) -> Result<bool, String>;
}

pub(crate) fn integer<T: FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| "must be a whole number within range".to_owned())
}

pub(crate) fn boolean(value: &str) -> Result<bool, String> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// Appends the words of a comma-separated list.
pub(crate) fn list(value: &str, words: &mut Vec<String>) {
    words.extend(value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned));
}

/// Where members are read from. It decides the error code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A fault is `invalid_param`, 422.
    Query,
    /// A fault is `invalid_request`, 400.
    Form,
}

/// Binds URL-encoded members. The error has every fault. A repeated parameter is rejected (RFC 6749 section 3.1).
pub(crate) fn members<M: BindMembers>(message: &mut M, encoded: &[u8], source: Source) -> Result<()> {
    let mut seen = HashSet::new();
    let mut violations = Violations::default();
    for (name, value) in pairs(encoded).map_err(|_| not_utf8(source))? {
        match message.set(&name, &value) {
            Ok(true) if !M::LISTS.contains(&&*name) && !seen.insert(name.clone().into_owned()) => {
                violations.add(invalid_member(source, &name, "given more than once", "duplicate"));
            }
            Ok(false) if M::STRICT => {
                violations.add(invalid_member(source, &name, "unknown parameter", UNKNOWN_MEMBER));
            }
            Ok(_) => {}
            Err(reason) => violations.add(invalid_member(source, &name, &reason, "type_error")),
        }
    }
    violations.finish()
}

/// Rejects members of a JSON object that a strict message does not have.
pub(crate) fn known_members<M: BindMembers>(object: &str) -> Result<()> {
    if !M::STRICT {
        return Ok(());
    }
    // The object has been parsed before.
    match serde_json::from_str(object).map_err(Error::internal)? {
        UnknownMember::<M>(Some(name), _) => Err(invalid_member(Source::Form, &name, "unknown member", UNKNOWN_MEMBER)),
        UnknownMember(None, _) => Ok(()),
    }
}

/// The first member of a JSON object that the message `M` does not have.
struct UnknownMember<M>(Option<String>, PhantomData<M>);

impl<'de, M: BindMembers> Deserialize<'de> for UnknownMember<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(None, PhantomData))
    }
}

impl<'de, M: BindMembers> Visitor<'de> for UnknownMember<M> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            members.next_value::<IgnoredAny>()?;
            if self.0.is_none() && !M::MEMBERS.contains(&name.as_str()) {
                self.0 = Some(name);
            }
        }
        Ok(self)
    }
}

/// Decodes URL-encoded members. Fails on text that is not UTF-8, for which `form_urlencoded` would write replacement
/// characters.
pub(crate) fn pairs(encoded: &[u8]) -> Result<form_urlencoded::Parse<'_>, Utf8Error> {
    // The separators are ASCII, so the whole text is valid when all members are.
    percent_decode(encoded).decode_utf8()?;
    Ok(form_urlencoded::parse(encoded))
}

fn not_utf8(source: Source) -> Error {
    match source {
        Source::Query => Error::new(Code::InvalidParam, "The query is not UTF-8 text."),
        Source::Form => Error::new(Code::InvalidRequest, "The form is not UTF-8 text."),
    }
}

fn invalid_member(source: Source, name: &str, msg: &str, kind: &'static str) -> Error {
    let name: String = name.chars().filter(|symbol| !is_unprintable(*symbol)).take(64).collect();
    let (code, place) = match source {
        Source::Query => (Code::InvalidParam, "query"),
        Source::Form => (Code::InvalidRequest, "body"),
    };
    let detail = Detail { kind, loc: vec![place.to_owned(), name.clone()], msg: msg.to_owned() };
    Error::new(code, format!("{name}: {msg}")).with_detail(detail)
}

/// Reads a message from the query and the path.
pub(crate) async fn query<M: BindMembers + Default>(parts: &mut Parts, policy: &Policy) -> Result<M> {
    let mut message = M::default();
    if let Some(encoded) = parts.uri.query() {
        // The path wins for a member that is in both.
        members(&mut message, encoded.as_bytes(), Source::Query)?;
    }
    path(parts, message, policy).await
}

/// Binds the parameters of the path, and the values that it fixes.
pub(crate) async fn path<M: BindMembers>(parts: &mut Parts, mut message: M, policy: &Policy) -> Result<M> {
    let not_found = || Error::not_found("Not found.");
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| not_found())?;
    let fixed = policy.http.map_or(&[][..], |http| http.fixed).iter().copied();
    for (name, value) in params.iter().chain(fixed) {
        message.set(name, value).map_err(|_| not_found())?;
    }
    Ok(message)
}
