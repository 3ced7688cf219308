//! Forms as browsers post them: URL-encoded, at most 4 KiB, each field once.

use axum::body::Body;
use http::request::Parts;

use crate::{
    domain::{Code, Error, Result, secret::Secret},
    http::{
        codec::{bind::pairs, body},
        media_type::MediaType,
    },
    memory::MemoryLedger,
};

/// Limit of a form in bytes.
pub(super) const MAX_FORM_BYTES: usize = 4 * 1024;

/// The fields of a form. Some are secrets, so it has no `Debug`.
#[derive(Default)]
pub struct Form(Vec<(String, Secret)>);

impl Form {
    /// Reads the body of a request as a form.
    pub(crate) async fn read(parts: &Parts, body: Body, memory: &MemoryLedger) -> Result<Self> {
        if MediaType::of(&parts.headers)? != MediaType::Form {
            return Err(Error::new(Code::UnsupportedMediaType, "Send the form as application/x-www-form-urlencoded."));
        }
        Self::parse(&body::read(parts, body, MAX_FORM_BYTES, memory).await?.bytes)
    }

    /// Parses a URL-encoded form. A field that appears twice is an error.
    pub fn parse(encoded: &[u8]) -> Result<Self> {
        let mut fields: Vec<(String, Secret)> = Vec::new();
        let pairs = pairs(encoded).map_err(|_| Error::new(Code::InvalidRequest, "The form is not UTF-8 text."))?;
        for (name, value) in pairs {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(Error::new(Code::InvalidRequest, "A field appears more than once."));
            }
            fields.push((name.into_owned(), Secret::new(value.into_owned())));
        }
        Ok(Self(fields))
    }

    /// A field as a secret; `None` when it is missing.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A field as text; empty when it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.secret(name).map(Secret::expose).unwrap_or_default()
    }

    /// Whether a checkbox is checked.
    pub fn is_checked(&self, name: &str) -> bool {
        self.text(name) == "yes"
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    async fn read(kind: &str, body: Vec<u8>) -> Result<Form> {
        let (parts, body) = http::Request::post("/device")
            .header(CONTENT_TYPE, kind)
            .body(Body::from(body))
            .expect("a request")
            .into_parts();
        Form::read(&parts, body, &MemoryLedger::unlimited()).await
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[tokio::test]
    async fn fields_are_percent_decoded() {
        let form = read("application/x-www-form-urlencoded; charset=utf-8", b"a=1+2&mine=yes&b=%E4%BD%A0".to_vec())
            .await
            .expect("a form");
        assert_eq!((form.text("a"), form.text("b"), form.text("c")), ("1 2", "你", ""));
        assert!(form.is_checked("mine") && !form.is_checked("a"));
    }

    #[tokio::test]
    async fn invalid_form_is_rejected_with_a_code_for_its_fault() {
        let cases = [
            ("application/json", b"{}".to_vec(), Code::UnsupportedMediaType),
            ("", b"a=1".to_vec(), Code::UnsupportedMediaType),
            (FORM, vec![b'a'; MAX_FORM_BYTES + 1], Code::RequestEntityTooLarge),
            (FORM, b"a=1&a=2".to_vec(), Code::InvalidRequest),
            (FORM, b"a=%ff".to_vec(), Code::InvalidRequest),
            (FORM, b"a=\xff".to_vec(), Code::InvalidRequest),
        ];
        for (kind, body, code) in cases {
            assert_eq!(read(kind, body).await.err().map(|error| error.code()), Some(code), "{kind}");
        }
    }
}
