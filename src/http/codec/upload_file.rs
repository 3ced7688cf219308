//! The route of an upload: the part `file` of a multipart form, stored while it arrives.

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{StatusCode, header::CONTENT_LENGTH, request::Parts};

use super::{
    bind,
    route::{JsonRoute, route},
};
use crate::{
    domain::{Code, Error, Result, file::limits::UPLOAD_TIMEOUT},
    http::{
        anonymous::AnonymousRequest,
        answer, error_body,
        media_type::{MediaType, boundary},
        multipart::{FORM_BYTES, FormLimits, MultipartForm, Part, linger},
    },
    pipeline::policy::Policy,
    rpc::{Rpc, proto},
    service::file::{FileHead, UploadTarget},
};

/// The name of the file's part.
const FILE: &str = "file";
/// Bytes of a form besides its file.
const MAX_OTHER_BYTES: u64 = 256 << 10;
const MAX_PARTS: usize = 16;

pub(crate) fn upload_file(policy: &'static Policy, rpc: &Rpc) -> JsonRoute {
    let rpc = rpc.clone();
    route(policy, move |request: Request| {
        let rpc = rpc.clone();
        async move {
            let (parts, body) = request.into_parts();
            let uploaded = tokio::time::timeout(UPLOAD_TIMEOUT, upload(&rpc, policy, parts, body)).await;
            let slow = || Error::new(Code::InvalidRequest, "The request body took too long to arrive.");
            match uploaded
                .unwrap_or_else(|_| Err(slow()))
                .and_then(|file| serde_json::to_vec(&file).map_err(Error::internal))
            {
                Ok(body) => answer::json(StatusCode::CREATED, body),
                Err(error) => {
                    crate::telemetry::failure::log(&error);
                    error_body::respond(&error, Some(policy))
                }
            }
        }
    })
}

async fn upload(rpc: &Rpc, policy: &Policy, mut parts: Parts, body: Body) -> Result<proto::UploadFileResponse> {
    let (target, boundary) = match admit(rpc, policy, &mut parts).await {
        Ok(admitted) => admitted,
        Err(error) => {
            linger(body.into_data_stream());
            return Err(error);
        }
    };
    let limits = FormLimits { bytes: max_bytes(rpc), parts: MAX_PARTS };
    let mut form = MultipartForm::new(body, boundary, limits);
    let (part, name) = file_part(&mut form).await?;
    let head = FileHead { name, media_type: part.media_type() };
    rpc.store_upload(target, head, contents(form, part)).await
}

/// Admits an upload by its path and its headers. Returns the boundary of the form.
async fn admit(rpc: &Rpc, policy: &Policy, parts: &mut Parts) -> Result<(UploadTarget, String)> {
    let message: proto::UploadFileRequest = bind::path(parts, proto::UploadFileRequest::default(), policy).await?;
    let memory = rpc.reserve_upload(&parts.extensions, FORM_BYTES)?;
    let target = rpc.admit_upload(&parts.extensions, &message.id, memory).await?;
    AnonymousRequest::body_of(&parts.extensions)?;
    let boundary = match MediaType::of(&parts.headers)? {
        MediaType::Multipart => boundary(&parts.headers)?,
        MediaType::None => return Err(no_file()),
        _ => return Err(Error::new(Code::UnsupportedMediaType, "Send the body as multipart/form-data.")),
    };
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > max_bytes(rpc)) {
        return Err(Error::new(Code::FileTooLarge, "The file is larger than any file may be."));
    }
    Ok((target, boundary))
}

/// Of the whole form.
fn max_bytes(rpc: &Rpc) -> u64 {
    rpc.upload_limits().largest() + MAX_OTHER_BYTES
}

/// The part of the file and its name. Parts that are no files are skipped.
async fn file_part(form: &mut MultipartForm) -> Result<(Part, String)> {
    let mut has_other_file = false;
    while let Some(part) = form.next_part().await? {
        match part.file_name() {
            Some(_) if part.name() == FILE && has_other_file => return Err(too_many_files()),
            Some(name) if part.name() == FILE => return Ok((part, name)),
            Some(_) => has_other_file = true,
            None => {}
        }
    }
    Err(no_file())
}

/// The content of the file. Fails at its end if another file follows.
fn contents(form: MultipartForm, part: Part) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::unfold(Some((form, part)), |open| async move {
        let (mut form, mut part) = open?;
        match part.next_piece().await {
            Ok(Some(piece)) => return Some((Ok(piece), Some((form, part)))),
            Err(error) => return Some((Err(error), None)),
            Ok(None) => drop(part),
        }
        loop {
            match form.next_part().await {
                Ok(None) => return None,
                Ok(Some(next)) if next.file_name().is_some() => return Some((Err(too_many_files()), None)),
                Ok(Some(_)) => {}
                Err(error) => return Some((Err(error), None)),
            }
        }
    })
}

fn no_file() -> Error {
    Error::new(Code::NoFileUploaded, "The request has no file.")
        .with_hint("Send it as the part `file` of a multipart form.")
}

fn too_many_files() -> Error {
    Error::new(Code::TooManyFiles, "Send one file at a time.")
}
