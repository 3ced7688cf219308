//! Forms as browsers post them: URL-encoded, small, each field once.

use axum::body::Body;
use http::{header::CONTENT_TYPE, request::Parts};

use crate::{
    domain::{Code, Error, Result, secret::Secret},
    http::codec::{bind::pairs, body},
};

/// The largest form.
pub(crate) const MAX_FORM: usize = 16 * 1024;

/// A form's fields. Some are secrets, so it does not print.
#[derive(Default)]
pub struct Form(Vec<(String, Secret)>);

impl Form {
    /// Reads a form off a request.
    pub async fn read(parts: &Parts, body: Body) -> Result<Self> {
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Error::new(Code::UnsupportedMediaType, "Send the form as application/x-www-form-urlencoded."));
        }
        Self::parse(&body::read(parts, body, MAX_FORM).await?)
    }

    /// Reads a form's bytes. None of our forms has two fields of one name.
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

    /// A field that must not be printed; `None` when it is not there.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A field's text; empty when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.secret(name).map(Secret::expose).unwrap_or_default()
    }

    /// Whether a box was ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.text(name) == "yes"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(kind: &str, body: Vec<u8>) -> Result<Form> {
        let (parts, body) = http::Request::post("/device")
            .header(CONTENT_TYPE, kind)
            .body(Body::from(body))
            .expect("a request")
            .into_parts();
        Form::read(&parts, body).await
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[tokio::test]
    async fn a_form_gives_its_fields_decoded() {
        let form = read("application/x-www-form-urlencoded; charset=utf-8", b"a=1+2&mine=yes&b=%E4%BD%A0".to_vec())
            .await
            .expect("a form");
        assert_eq!((form.text("a"), form.text("b"), form.text("c")), ("1 2", "你", ""));
        assert!(form.ticked("mine") && !form.ticked("a"));
    }

    #[tokio::test]
    async fn what_is_not_a_form_is_refused_in_kind() {
        let cases = [
            ("application/json", b"{}".to_vec(), Code::UnsupportedMediaType),
            ("", b"a=1".to_vec(), Code::UnsupportedMediaType),
            (FORM, vec![b'a'; MAX_FORM + 1], Code::RequestEntityTooLarge),
            (FORM, b"a=1&a=2".to_vec(), Code::InvalidRequest),
            (FORM, b"a=%ff".to_vec(), Code::InvalidRequest),
            (FORM, b"a=\xff".to_vec(), Code::InvalidRequest),
        ];
        for (kind, body, code) in cases {
            assert_eq!(read(kind, body).await.err().map(|error| error.code()), Some(code), "{kind}");
        }
    }
}
