//! The multipart form of a run: files as parts `files[name]`, or `files[name][]` for lists, and other members as JSON
//! text. The files are uploaded, and the run gets a JSON body that refers to them, so that all checks of runs apply.

use axum::{
    body::Body,
    extract::{FromRequestParts as _, RawPathParams},
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use http::{
    HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use tokio::time::timeout;

use super::run_members::RunMembers;
use crate::{
    domain::{Code, Error, Result, file::limits::UPLOAD_TIMEOUT},
    http::{
        anonymous::AnonymousRequest,
        media_type::{MediaType, boundary},
        memory_owner::memory_owner,
        multipart::{FORM_BYTES, FormLimits, MultipartForm, Part, linger},
    },
    memory::{MemoryKind, MemoryPermit},
    pipeline::policy::Policy,
    rpc::Rpc,
    service::file::{FileHead, UploadTarget},
};

const MAX_PARTS: usize = 64;

/// A body, and the memory of one that was made of a form.
pub(super) struct RunBody {
    pub body: Body,
    pub _memory: Option<MemoryPermit>,
}

/// Replaces the body of a form by JSON. Other bodies stay as they are.
pub(super) async fn to_json(rpc: &Rpc, parts: &mut Parts, body: Body, policy: &Policy) -> Result<RunBody> {
    if MediaType::of(&parts.headers)? != MediaType::Multipart {
        return Ok(RunBody { body, _memory: None });
    }
    let (target, boundary) = match admit(rpc, parts, policy).await {
        Ok(admitted) => admitted,
        Err(error) => {
            linger(body.into_data_stream());
            return Err(error);
        }
    };
    let form = MultipartForm::new(body, boundary, FormLimits { bytes: max_bytes(rpc, policy), parts: MAX_PARTS });
    let memory = rpc.memory().permit(MemoryKind::Bodies, Some(memory_owner(&parts.extensions)));
    let reading = read(rpc, form, &target, policy.max_body, memory);
    let slow = |_| Error::new(Code::InvalidRequest, "The request body took too long to arrive.");
    let (members, memory) = timeout(UPLOAD_TIMEOUT, reading).await.map_err(slow)??;
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(RunBody { body: Body::from(members.into_json()?), _memory: Some(memory) })
}

/// Of the whole form.
fn max_bytes(rpc: &Rpc, policy: &Policy) -> u64 {
    let limits = rpc.upload_limits();
    limits.largest().saturating_mul(u64::from(limits.run_files)) + policy.max_body as u64
}

/// Admits the uploads of a form by its path and its headers. Returns the boundary of the form.
async fn admit(rpc: &Rpc, parts: &mut Parts, policy: &Policy) -> Result<(UploadTarget, String)> {
    let boundary = boundary(&parts.headers)?;
    let memory = rpc.reserve_upload(&parts.extensions, FORM_BYTES)?;
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(Error::internal)?;
    let app = params.iter().find(|(name, _)| *name == "id").map(|(_, id)| id).unwrap_or_default();
    let target = rpc.admit_upload(&parts.extensions, app, memory).await?;
    AnonymousRequest::body_of(&parts.extensions)?;
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > max_bytes(rpc, policy)) {
        return Err(Error::new(Code::RequestEntityTooLarge, "The form is too large."));
    }
    Ok((target, boundary))
}

/// Reads a form. Uploads each file as it arrives. `memory` grows with the other members, up to `max_text` bytes.
async fn read(
    rpc: &Rpc,
    mut form: MultipartForm,
    target: &UploadTarget,
    max_text: usize,
    mut memory: MemoryPermit,
) -> Result<(RunMembers, MemoryPermit)> {
    let max_files = rpc.upload_limits().run_files;
    let (mut members, mut files, mut text_bytes) = (RunMembers::default(), 0, 0);
    while let Some(part) = form.next_part().await? {
        let name = part.name().to_owned();
        let Some(file_name) = part.file_name() else {
            let text = read_text(part, max_text - text_bytes, text_bytes, &mut memory).await?;
            text_bytes += text.len();
            members.add_text(name, text)?;
            continue;
        };
        files += 1;
        if files > max_files {
            return Err(Error::new(Code::TooManyFiles, format!("A run takes at most {max_files} files.")));
        }
        let input = members.file_input(&name)?;
        rpc.charge_upload(target).await?;
        let head = FileHead { name: file_name, media_type: part.media_type() };
        members.add_file(input, &rpc.store_upload(target.clone(), head, contents(part)).await?);
    }
    Ok((members, memory))
}

/// The text of a part of at most `max` bytes. `held` bytes of `memory` belong to parts before it.
async fn read_text(mut part: Part, max: usize, held: usize, memory: &mut MemoryPermit) -> Result<String> {
    let mut text = BytesMut::new();
    while let Some(piece) = part.next_piece().await? {
        let length = text.len() + piece.len();
        if length > max {
            return Err(Error::new(Code::RequestEntityTooLarge, "The parts of the form are too large."));
        }
        // Twice, because the members are copied into one text.
        memory.resize(2 * (held + length))?;
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text.into())
        .map_err(|_| Error::new(Code::InvalidRequest, "A part of the form is not UTF-8 text."))
}

fn contents(part: Part) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::unfold(Some(part), |open| async move {
        let mut part = open?;
        match part.next_piece().await {
            Ok(piece) => Some((Ok(piece?), Some(part))),
            Err(error) => Some((Err(error), None)),
        }
    })
}
