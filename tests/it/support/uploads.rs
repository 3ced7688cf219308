//! Uploads of files over JSON and gRPC.

use dify_openapi::testing::rpc::proto::{UploadFileRequest, UploadFileResponse};
use futures_util::stream;
use reqwest::{Method, RequestBuilder, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tonic::Status;

use super::{
    Answer, Bearer, TestServer, apps,
    grpc::{Clients, channel, with_bearer},
};

pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";
pub const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0";
const BOUNDARY: &str = "----boundary7MA4YWxkTrZu0gW";

/// The headers of a part of a file, and its contents.
pub fn file_part(name: &str, contents: &[u8]) -> (String, Vec<u8>) {
    let headers =
        format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/html");
    (headers, contents.to_vec())
}

/// A multipart form of parts with these headers and contents.
pub fn form(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (headers, contents) in parts {
        body.extend_from_slice(format!("--{BOUNDARY}\r\n{headers}\r\n\r\n").as_bytes());
        body.extend_from_slice(contents);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// A part of a form with this name and the contents of a file.
pub fn named_file(part: &str, name: &str, contents: &[u8]) -> (String, Vec<u8>) {
    (format!("Content-Disposition: form-data; name=\"{part}\"; filename=\"{name}\""), contents.to_vec())
}

/// A part of a form with text.
pub fn text_part(part: &str, value: &str) -> (String, Vec<u8>) {
    (format!("Content-Disposition: form-data; name=\"{part}\""), value.as_bytes().to_vec())
}

/// A run of an app with a form of these parts.
pub fn run_form(bearer: &Bearer, app: &str, parts: &[(String, Vec<u8>)]) -> RequestBuilder {
    run_with_body(bearer, app, form(parts))
}

/// A run with the body of a form.
pub fn run_with_body(bearer: &Bearer, app: &str, body: Vec<u8>) -> RequestBuilder {
    with_body(bearer.request(Method::POST, &format!("/openapi/v1/apps/{app}/run")), body)
}

/// The media type of [`form`].
pub fn form_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// An upload with this body.
pub fn request(bearer: &Bearer, app: &str, body: Vec<u8>) -> RequestBuilder {
    with_body(bearer.request(Method::POST, &format!("/openapi/v1/apps/{app}/files/upload")), body)
}

/// The request with a multipart form as its body.
pub fn with_form(request: RequestBuilder, parts: &[(String, Vec<u8>)]) -> RequestBuilder {
    with_body(request, form(parts))
}

fn with_body(request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
    request.header(CONTENT_TYPE, form_type()).body(body)
}

/// Uploads a file.
pub async fn upload(bearer: &Bearer, app: &str, name: &str, contents: &[u8]) -> Answer {
    Answer::to(request(bearer, app, form(&[file_part(name, contents)]))).await
}

/// Uploads a file in pieces of `piece` bytes over gRPC.
pub async fn upload_over_grpc(
    server: &TestServer,
    bearer: &Bearer,
    app: &str,
    (name, contents): (&str, &[u8]),
    piece: usize,
) -> Result<UploadFileResponse, Status> {
    let head = UploadFileRequest { id: app.to_owned(), name: name.to_owned(), mime_type: None, content: Vec::new() };
    let pieces =
        contents.chunks(piece).map(|content| UploadFileRequest { content: content.to_vec(), ..Default::default() });
    let messages: Vec<_> = std::iter::once(head).chain(pieces).collect();
    let request = with_bearer(stream::iter(messages), &bearer.token);
    Clients::on(channel(server).await).file.upload_file(request).await.map(tonic::Response::into_inner)
}

/// An app of the owner and the member that needs no file.
pub async fn app(server: &TestServer) -> String {
    let workspace = apps::shared_workspace(server).await;
    apps::insert(server, &workspace, "Files", "workflow", 0).await
}

/// A workflow of the shared workspace whose form has these variables, and whose outputs are its inputs.
pub async fn form_app(server: &TestServer, variables: &Value) -> String {
    let workspace = apps::shared_workspace(server).await;
    let app = apps::insert(server, &workspace, "Form", "workflow", 0).await;
    let outputs: Vec<_> = variables.as_array().unwrap().iter().map(|variable| &variable["variable"]).collect();
    let outputs: Vec<_> =
        outputs.iter().map(|name| json!({"variable": name, "value_selector": ["start", name]})).collect();
    let graph = json!({
        "nodes": [
            {"id": "start", "data": {"type": "start", "title": "Start", "variables": variables}},
            {"id": "end", "data": {"type": "end", "title": "End", "outputs": outputs}},
        ],
        "edges": [{"id": "e", "source": "start", "target": "end", "sourceHandle": "source", "targetHandle": "target"}],
    });
    apps::publish(server, &app, &graph, &json!({})).await;
    app
}

/// The paths of the stored contents, and of those that are not finished.
pub fn stored(server: &TestServer) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![server.files_dir()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() { directories.push(path) } else { found.push(path) }
        }
    }
    found
}
