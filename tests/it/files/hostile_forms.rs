//! Forms and files that are refused. Nothing of them is kept.

use std::time::Duration;

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    Answer, Bearer, Stores, TestServer, database,
    server::{MEMBER, OWNER},
    uploads::{self, PNG, ZIP, file_part, form, named_file, text_part},
};

on_both_stores!(
    files_that_are_not_accepted_return_their_code,
    forms_that_exceed_a_bound_are_refused,
    hostile_forms_of_runs_run_nothing,
    script_in_a_picture_of_a_run_is_only_downloaded,
    upload_that_breaks_off_leaves_nothing
);

/// A server without limits of numbers that accepts files of 1 MiB.
async fn start(stores: Stores) -> (TestServer, Bearer, String) {
    let variables = [
        ("OPENAPI_RATE_LIMITS", "upload=0,token=0"),
        ("UPLOAD_FILE_SIZE_LIMIT", "1"),
        ("UPLOAD_FILE_EXTENSION_BLACKLIST", "exe, .BAT"),
    ];
    let server = TestServer::start_with(stores, &variables).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let app = uploads::app(&server).await;
    (server, bearer, app)
}

/// The head of an upload over HTTP/1.1.
fn upload_head(bearer: &Bearer, app: &str, length: usize) -> String {
    format!(
        "POST /openapi/v1/apps/{app}/files/upload HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\n\
         content-type: multipart/form-data; boundary=----boundary7MA4YWxkTrZu0gW\r\ncontent-length: {length}\r\n\r\n",
        bearer.token
    )
}

/// Fails if a file or a row of one is left. Removal happens in the background.
async fn assert_nothing_is_kept(server: &TestServer) {
    assert_eq!(database::count(server, "upload_files").await, 0);
    for _ in 0..200 {
        if uploads::stored(server).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} is left", uploads::stored(server));
}

async fn files_that_are_not_accepted_return_their_code(stores: Stores) {
    let (server, bearer, app) = start(stores).await;
    let named = |disposition: &str| (format!("Content-Disposition: form-data; {disposition}"), b"text".to_vec());
    for (parts, status, code) in [
        (vec![], 400, "no_file_uploaded"),
        (vec![named("name=\"user\"")], 400, "no_file_uploaded"),
        (vec![named("name=\"file\"")], 400, "no_file_uploaded"),
        (vec![named("name=\"other\"; filename=\"a.txt\"")], 400, "no_file_uploaded"),
        (vec![file_part("a.txt", b"a"), file_part("b.txt", b"b")], 400, "too_many_files"),
        (vec![named("name=\"other\"; filename=\"a.txt\""), file_part("b.txt", b"b")], 400, "too_many_files"),
        (vec![file_part("", b"a")], 400, "filename_not_exists"),
        (vec![file_part("../../etc/cron.d/x", b"a")], 400, "invalid_request"),
        (vec![file_part("C:\\\\x.txt", b"a")], 400, "invalid_request"),
        (vec![file_part("setup.EXE", b"MZ")], 400, "file_extension_blocked"),
        (vec![file_part("run.bat", b"a")], 400, "file_extension_blocked"),
        (vec![file_part("cat.png", ZIP)], 415, "unsupported_file_type"),
        (vec![file_part("cat.jpg", b"<html><script>alert(1)</script></html>")], 415, "unsupported_file_type"),
        (vec![file_part("big.bin", &vec![1; (1 << 20) + 1])], 413, "file_too_large"),
    ] {
        let answer = Answer::to(uploads::request(&bearer, &app, form(&parts))).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{}", answer.text);
    }
    let path = format!("/openapi/v1/apps/{app}/files/upload");
    for (kind, status, code) in [
        (Some("application/json"), 415, "unsupported_media_type"),
        (Some("multipart/form-data"), 400, "invalid_request"),
        (None, 400, "no_file_uploaded"),
    ] {
        let mut request = bearer.request(Method::POST, &path).body("{}");
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        assert_eq!(Answer::to(request).await.outcome(), (status, code.to_owned()), "{kind:?}");
    }
    assert_nothing_is_kept(&server).await;
    // A zip under its own name, and a picture, are accepted.
    for (name, contents) in [("a.zip", ZIP), ("a.png", PNG)] {
        assert_eq!(uploads::upload(&bearer, &app, name, contents).await.status, 201);
    }
    let full = uploads::upload(&bearer, &app, "full.bin", &vec![1; 1 << 20]).await;
    assert_eq!(full.status, 201, "exactly the limit");
}

async fn forms_that_exceed_a_bound_are_refused(stores: Stores) {
    let (server, bearer, app) = start(stores).await;
    let field = || ("Content-Disposition: form-data; name=\"x\"".to_owned(), Vec::new());
    let long_header = (format!("Content-Disposition: form-data; name=\"file\"; x=\"{}\"", "x".repeat(400_000)), vec![]);
    let many_headers = ("X: y\r\n".repeat(200) + "Content-Disposition: form-data; name=\"file\"", vec![]);
    let preamble = [vec![b'x'; 400_000], form(&[file_part("a.txt", b"a")])].concat();
    let other = ("Content-Disposition: form-data; name=\"x\"".to_owned(), vec![b'x'; 400_000]);
    let truncated = form(&[file_part("a.bin", &vec![1; 600_000])]);
    let truncated = truncated[..500_000].to_vec();
    for (what, body, status) in [
        ("parts", form(&vec![field(); 1_000]), 413),
        (
            "parts after the file",
            form(&[vec![file_part("a.bin", &vec![1; 300_000])], vec![field(); 1_000]].concat()),
            413,
        ),
        ("a header", form(&[long_header]), 413),
        ("headers", form(&[many_headers]), 400),
        ("a preamble", preamble, 413),
        ("a part that is not read", form(&[other]), 413),
        ("a form without its end", truncated, 400),
        ("no form", b"hello".to_vec(), 400),
        ("nothing", Vec::new(), 400),
    ] {
        let answer = Answer::to(uploads::request(&bearer, &app, body)).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text);
    }
    let head = upload_head(&bearer, &app, 150 << 20);
    let mut socket = TcpStream::connect(server.running().bound.public).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413", "by its Content-Length");
    assert_nothing_is_kept(&server).await;
}

async fn hostile_forms_of_runs_run_nothing(stores: Stores) {
    let (server, owner, _) = start(stores).await;
    let variables = json!([
        {"variable": "photo", "type": "file", "allowed_file_types": ["image"]},
        {"variable": "papers", "type": "file-list", "max_length": 2},
    ]);
    let app = uploads::form_app(&server, &variables).await;
    let member = Bearer::sign_in(&server, MEMBER, "phone").await;
    let foreign = uploads::upload(&member, &app, "b.png", PNG).await.json()["id"].as_str().unwrap().to_owned();
    let foreign = json!({"photo": {"transfer_method": "local_file", "upload_file_id": foreign}}).to_string();
    let photo = |name: &str, contents: &[u8]| named_file("files[photo]", name, contents);
    let inputs = || text_part("inputs", "{}");
    let long_header = ("x: ".to_owned() + &"y".repeat(400_000), Vec::new());
    let many_headers = ("x: y\r\n".repeat(200) + "Content-Disposition: form-data; name=\"query\"", Vec::new());
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for (what, parts, status, code) in [
        ("another's file", vec![text_part("inputs", &foreign)], 422, "invalid_param"),
        ("a zip as a picture", vec![inputs(), photo("cat.png", ZIP)], 415, "unsupported_file_type"),
        ("a zip under its name", vec![inputs(), photo("cat.zip", ZIP)], 422, "invalid_param"),
        ("a path", vec![inputs(), photo("../../etc/passwd", PNG)], 400, "invalid_request"),
        ("a name that hides its end", vec![inputs(), photo("a\u{202e}gpj.exe", PNG)], 400, "invalid_request"),
        ("no name", vec![inputs(), photo("", PNG)], 400, "filename_not_exists"),
        ("a blocked extension", vec![inputs(), photo("setup.exe", b"MZ")], 400, "file_extension_blocked"),
        (
            "a large file",
            vec![inputs(), named_file("files[papers][]", "a.bin", &vec![1; (1 << 20) + 1])],
            413,
            "file_too_large",
        ),
        ("a part that is no input", vec![inputs(), named_file("photo", "a.png", PNG)], 400, "invalid_request"),
        ("a nested input", vec![inputs(), named_file("files[a][b]", "a.png", PNG)], 400, "invalid_request"),
        ("an input twice", vec![inputs(), photo("a.png", PNG), photo("b.png", PNG)], 400, "invalid_request"),
        ("a member twice", vec![inputs(), inputs()], 400, "invalid_request"),
        ("inputs that are a list", vec![text_part("inputs", "[]"), photo("a.png", PNG)], 400, "invalid_request"),
        (
            "inputs that close themselves",
            vec![text_part("inputs", "{}},{{"), photo("a.png", PNG)],
            400,
            "invalid_request",
        ),
        ("deep JSON", vec![text_part("inputs", &deep)], 400, "invalid_request"),
        ("many files", vec![named_file("files[papers][]", "a.txt", b"a"); 11], 400, "too_many_files"),
        ("many parts", vec![text_part("query", "1"); 1_000], 400, "invalid_request"),
        (
            "many parts of many names",
            (0..1_000).map(|at| text_part(&format!("x{at}"), "1")).collect(),
            413,
            "request_entity_too_large",
        ),
        (
            "a long text",
            vec![text_part("inputs", &format!("\"{}\"", "9".repeat(1 << 20)))],
            413,
            "request_entity_too_large",
        ),
        ("a long header", vec![inputs(), long_header], 413, "request_entity_too_large"),
        ("many headers", vec![inputs(), many_headers], 400, "invalid_request"),
    ] {
        let answer = Answer::to(uploads::run_form(&owner, &app, &parts)).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{what}: {}", answer.text);
    }
    for (what, body) in [
        ("a form without its end", uploads::form(&[inputs(), photo("a.png", PNG)])[..150].to_vec()),
        ("no form", b"{\"inputs\": {}}".to_vec()),
    ] {
        let answer = Answer::to(uploads::run_with_body(&owner, &app, body)).await;
        assert_eq!(answer.outcome(), (400, "invalid_request".to_owned()), "{what}: {}", answer.text);
    }
    let path = format!("/openapi/v1/apps/{app}/run");
    let request = owner.request(Method::POST, &path).header(CONTENT_TYPE, "multipart/form-data").body("{}");
    assert_eq!(Answer::to(request).await.outcome(), (400, "invalid_request".to_owned()), "no boundary");
    for app in ["00000000-0000-0000-0000-000000000000", "Form", "x"] {
        let answer = Answer::to(uploads::run_form(&owner, app, &[inputs(), photo("a.png", PNG)])).await;
        assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{app}");
    }
    assert_eq!(database::count(&server, "workflow_runs").await, 0);
}

async fn script_in_a_picture_of_a_run_is_only_downloaded(stores: Stores) {
    let (server, owner, _) = start(stores).await;
    let variables = json!([{"variable": "photo", "type": "file", "allowed_file_types": ["image"]}]);
    let app = uploads::form_app(&server, &variables).await;
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let parts =
        [text_part("inputs", "{}"), text_part("response_mode", "blocking"), named_file("files[photo]", "a.svg", svg)];
    let answer = Answer::to(uploads::run_form(&owner, &app, &parts)).await;
    let photo = answer.json()["data"]["outputs"]["photo"].clone();
    assert_eq!(photo["mime_type"], "image/svg+xml", "{}", answer.text);
    let download = Answer::to(reqwest::Client::new().get(photo["url"].as_str().unwrap())).await;
    assert_eq!((download.status, download.text.as_bytes()), (200, &svg[..]));
    assert!(download.header("content-disposition").starts_with("attachment;"));
    assert_eq!(download.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(download.header("x-content-type-options"), "nosniff");
}

async fn upload_that_breaks_off_leaves_nothing(stores: Stores) {
    let (server, bearer, app) = start(stores).await;
    let body = form(&[file_part("a.bin", &vec![1; 900_000])]);
    let head = upload_head(&bearer, &app, body.len());
    let mut socket = TcpStream::connect(server.running().bound.public).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&body[..700_000]).await.unwrap();
    for _ in 0..500 {
        if !uploads::stored(&server).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(uploads::stored(&server).len(), 1, "the upload is under way");
    socket.shutdown().await.unwrap();
    let _ = socket.read(&mut [0; 64]).await;
    drop(socket);
    assert_nothing_is_kept(&server).await;
}
