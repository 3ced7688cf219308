//! The media type of a request's body.

use http::{HeaderMap, header::CONTENT_TYPE};

use crate::domain::{Code, Error, Result};

/// RFC 2046 section 5.1.1.
const MAX_BOUNDARY: usize = 70;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    Other,
    None,
}

impl MediaType {
    /// Reads `Content-Type`. Fails with `invalid_request` for more than one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let Some(value) = values.next() else { return Ok(Self::None) };
        if values.next().is_some() {
            return Err(Error::new(Code::InvalidRequest, "Content-Type appears more than once."));
        }
        let essence =
            value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(match essence.as_str() {
            "application/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => Self::Multipart,
            _ => Self::Other,
        })
    }
}

/// The boundary of a multipart form. Fails with `invalid_request` when it is missing or too long.
pub(crate) fn boundary(headers: &HeaderMap) -> Result<String> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    multer::parse_boundary(value)
        .ok()
        .filter(|boundary| (1..=MAX_BOUNDARY).contains(&boundary.len()))
        .ok_or_else(|| Error::new(Code::InvalidRequest, "The Content-Type has no valid boundary."))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        for (text, expected) in [
            ("application/json", MediaType::Json),
            ("Application/JSON; charset=utf-8", MediaType::Json),
            ("application/x-www-form-urlencoded", MediaType::Form),
            ("multipart/form-data", MediaType::Multipart),
            ("Multipart/Form-Data; charset=utf-8; boundary=\"b c\"", MediaType::Multipart),
            ("text/plain", MediaType::Other),
            ("", MediaType::Other),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))]);
            assert_eq!(MediaType::of(&headers).unwrap(), expected, "{text}");
        }
        assert_eq!(MediaType::of(&HeaderMap::new()).unwrap(), MediaType::None);
    }

    #[test]
    fn boundaries_have_between_one_and_seventy_characters() {
        let long = format!("multipart/form-data; boundary={}", "b".repeat(MAX_BOUNDARY + 1));
        for (text, expected) in [
            ("multipart/form-data; boundary=b", Some("b")),
            ("multipart/form-data; charset=utf-8; boundary=\"b c\"", Some("b c")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            (&long, None),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(text).unwrap())]);
            assert_eq!(boundary(&headers).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn several_types_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert_eq!(MediaType::of(&headers).unwrap_err().code(), Code::InvalidRequest);
    }
}
