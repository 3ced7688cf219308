//! Multipart forms (RFC 7578) as streams, with bounds: the bytes of the whole body, the number of parts, the bytes of
//! their headers, and the time between two pieces. Memory does not grow with the body.

mod form_body;
mod linger;

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use multer::{Constraints, Field, Multipart, SizeLimit};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use self::form_body::{FormBody, FormBodyError, UnreadBytes};
pub(crate) use self::linger::linger;
use crate::domain::{Code, Error, Result};

/// Longest time between two pieces of the body.
const PIECE_TIMEOUT: Duration = Duration::from_secs(15);
/// Memory of a form that is being read, in bytes: the pieces that wait, and the parser's buffer.
pub(crate) const FORM_BYTES: usize = 4 * form_body::PIECE_BYTES;

/// Limits of a form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FormLimits {
    /// Of the whole body.
    pub bytes: u64,
    pub parts: usize,
}

/// The parts of a form, in their order.
pub(crate) struct MultipartForm {
    multipart: Multipart<'static>,
    unread: UnreadBytes,
    parts_left: usize,
}

impl MultipartForm {
    pub(crate) fn new(body: Body, boundary: String, limits: FormLimits) -> Self {
        let unread = UnreadBytes::default();
        let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(limits.bytes));
        let body = FormBody::new(body, unread.clone());
        Self { multipart: Multipart::with_constraints(body, boundary, constraints), unread, parts_left: limits.parts }
    }

    /// The next part; `None` at the end of the form. What is left of the part before is skipped, if it is short.
    pub(crate) async fn next_part(&mut self) -> Result<Option<Part>> {
        let next = timeout(PIECE_TIMEOUT, self.multipart.next_field()).await.map_err(|_| too_slow())?;
        let Some(field) = next.map_err(form_error)? else { return Ok(None) };
        self.parts_left = self
            .parts_left
            .checked_sub(1)
            .ok_or_else(|| Error::new(Code::RequestEntityTooLarge, "The form has too many parts."))?;
        self.unread.reset();
        Ok(Some(Part { field, unread: self.unread.clone() }))
    }
}

/// A part of a form.
pub(crate) struct Part {
    field: Field<'static>,
    unread: UnreadBytes,
}

impl Part {
    pub(crate) fn name(&self) -> &str {
        self.field.name().unwrap_or_default()
    }

    /// The name of the file; `None` for a part that is not a file. RFC 7578 section 4.2 forbids `filename*`, and some
    /// clients send it.
    pub(crate) fn file_name(&self) -> Option<String> {
        if let Some(name) = self.field.file_name() {
            return Some(name.to_owned());
        }
        let disposition = self.field.headers().get(http::header::CONTENT_DISPOSITION)?.to_str().ok()?;
        let encoded = disposition.split(';').find_map(|parameter| parameter.trim().strip_prefix("filename*="))?;
        let (charset, encoded) = encoded.trim_matches('"').split_once('\'')?;
        let (_, encoded) = encoded.split_once('\'')?;
        let name = percent_decode_str(encoded).decode_utf8().ok()?;
        charset.eq_ignore_ascii_case("utf-8").then(|| name.into_owned())
    }

    pub(crate) fn media_type(&self) -> Option<String> {
        self.field.content_type().map(ToString::to_string)
    }

    /// The next piece of the content; `None` at its end.
    pub(crate) async fn next_piece(&mut self) -> Result<Option<Bytes>> {
        let piece = timeout(PIECE_TIMEOUT, self.field.chunk()).await.map_err(|_| too_slow())?.map_err(form_error)?;
        self.unread.reset();
        Ok(piece)
    }
}

fn too_slow() -> Error {
    Error::new(Code::InvalidRequest, "The request body took too long to arrive.")
}

fn form_error(error: multer::Error) -> Error {
    let too_large = |message| Error::new(Code::RequestEntityTooLarge, message);
    match error {
        multer::Error::StreamSizeExceeded { .. } => too_large("The form is too large."),
        multer::Error::StreamReadFailed(cause) => match cause.downcast_ref() {
            Some(FormBodyError::Unread) => {
                too_large("The headers of a part, or a part that is not read, are too long.")
            }
            _ => Error::new(Code::InvalidRequest, "The request body ended unexpectedly."),
        },
        multer::Error::ReadHeaderFailed(_) => Error::new(Code::InvalidRequest, "The headers of a part are not valid."),
        _ => Error::new(Code::InvalidRequest, "The body is not a valid multipart form."),
    }
}
