//! `POST /openapi/v1/apps/{id}/files/upload` and the addresses of contents.

mod hostile_forms;
mod inputs;
mod run_forms;
pub(crate) mod s3;

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    command::succeeded,
    database,
    grpc::reason,
    logs::Logs,
    server::{MEMBER, OWNER},
    uploads::{self, PNG, ZIP, file_part, form, upload, upload_over_grpc},
};

on_both_stores!(
    uploaded_file_is_stored_and_described,
    contents_are_served_as_a_download_at_a_signed_address_for_some_minutes,
    grpc_stores_the_same_file_in_pieces,
    upload_needs_access_to_the_app,
    uploads_are_limited_by_account,
    external_identity_uploads_on_the_later_path_only
);

/// The status and the body of a request without a credential.
async fn get(url: &str) -> Answer {
    Answer::to(reqwest::Client::new().get(url)).await
}

async fn uploaded_file_is_stored_and_described(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (bearer, app) = (Bearer::sign_in(&server, OWNER, "laptop").await, uploads::app(&server).await);
    let logs = Logs::capture();
    let answer = upload(&bearer, &app, "my photo.PNG", PNG).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let mut body = answer.redacted();
    for url in ["preview_url", "source_url"] {
        let text = body[url].as_str().unwrap();
        assert!(text.starts_with(&format!("{}/openapi/v1/files/", server.url)), "{text}");
        body[url] = json!("[url]");
    }
    assert_wire!(body, @r#"
    {
      "created_at": "[time]",
      "created_by": "[uuid]",
      "extension": "png",
      "id": "[uuid]",
      "mime_type": "image/png",
      "name": "my photo.PNG",
      "preview_url": "[url]",
      "size": 29,
      "source_url": "[url]"
    }
    "#);
    let owner = database::account_id(&server, OWNER).await;
    assert_eq!(answer.json()["created_by"], json!(owner));
    let row = format!(
        "upload_files WHERE created_by = '{owner}' AND created_by_role = 'account' AND size = 29 AND \
         storage_type = 'opendal'"
    );
    assert_eq!(database::count(&server, &row).await, 1);
    let [path] = &*uploads::stored(&server) else { panic!("one file is stored") };
    assert_eq!(std::fs::read(path).unwrap(), PNG);
    assert_eq!(logs.matching(&["app.file.uploaded", &app, OWNER]).len(), 1);

    // Names with blanks and CJK letters, and empty files, are valid.
    for (name, contents) in [("季度 报告.txt", "数据".as_bytes()), ("empty.png", b""), ("no extension", b"\x01\x02")]
    {
        let answer = upload(&bearer, &app, name, contents).await;
        assert_eq!((answer.status, &answer.json()["name"]), (201, &json!(name)), "{}", answer.text);
        let download = get(answer.json()["preview_url"].as_str().unwrap()).await;
        assert_eq!((download.status, download.text.len()), (200, contents.len()), "{name}");
    }
}

async fn contents_are_served_as_a_download_at_a_signed_address_for_some_minutes(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (bearer, app) = (Bearer::sign_in(&server, OWNER, "laptop").await, uploads::app(&server).await);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let answer = upload(&bearer, &app, "图 a.svg", svg).await;
    assert_eq!((answer.status, &answer.json()["mime_type"]), (201, &json!("image/svg+xml")), "{}", answer.text);
    let url = answer.json()["preview_url"].as_str().unwrap().to_owned();
    let download = get(&url).await;
    assert_eq!((download.status, download.text.as_bytes()), (200, &svg[..]));
    assert_eq!(
        download.header("content-disposition"),
        "attachment; filename=\"_ a.svg\"; filename*=UTF-8''%E5%9B%BE%20a.svg"
    );
    assert_eq!(download.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(download.header("x-content-type-options"), "nosniff");
    assert_eq!(download.header("cache-control"), "private, no-store");
    let other = upload(&bearer, &app, "b.txt", b"b").await.json()["id"].as_str().unwrap().to_owned();
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let (path, query) = url.split_once('?').unwrap();
    for forged in [
        path.to_owned(),
        url.replace(&id, &other),
        url.replace("expires=1", "expires=2"),
        format!("{url}0"),
        format!("{path}?{}", query.replace("signature=", "signature=0")),
        format!("{}/openapi/v1/files/x/preview?{query}", server.url),
    ] {
        assert_eq!(get(&forged).await.outcome(), (404, "not_found".to_owned()), "{forged}");
    }
    server.advance(301);
    assert_eq!(get(&url).await.status, 404, "expired");
}

async fn grpc_stores_the_same_file_in_pieces(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (bearer, app) = (Bearer::sign_in(&server, OWNER, "laptop").await, uploads::app(&server).await);
    let contents: Vec<u8> = (0..2_000_000_u32).map(|byte| (byte % 251) as u8).collect();
    let file = upload_over_grpc(&server, &bearer, &app, ("data.bin", &contents), 300_000).await.unwrap();
    assert_eq!((file.size, file.mime_type.as_str()), (2_000_000, "application/octet-stream"));
    let [path] = &*uploads::stored(&server) else { panic!("one file is stored") };
    assert_eq!(std::fs::read(path).unwrap(), contents);
    for (name, contents, expected) in
        [("", PNG, "filename_not_exists"), ("a/b.png", PNG, "invalid_request"), ("a.png", ZIP, "unsupported_file_type")]
    {
        let status = upload_over_grpc(&server, &bearer, &app, (name, contents), 1_000).await.unwrap_err();
        assert_eq!(reason(&status), expected);
    }
    let status = upload_over_grpc(&server, &bearer, &app, ("big.bin", &contents), 2_000_000).await.unwrap_err();
    assert_eq!(reason(&status), "request_entity_too_large", "a message over 1 MiB");
}

async fn upload_needs_access_to_the_app(stores: Stores) {
    let server = TestServer::start(stores).await;
    let workspace = apps::workspace(&server, "Second Workspace").await;
    let app = apps::insert(&server, &workspace, "Private", "workflow", 0).await;
    let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
    for app in [app.as_str(), "00000000-0000-0000-0000-000000000000", "x"] {
        assert_eq!(upload(&member, app, "a.txt", b"a").await.outcome(), (404, "not_found".to_owned()));
        let status = upload_over_grpc(&server, &member, app, ("a.txt", b"a"), 1).await.unwrap_err();
        assert_eq!(reason(&status), "not_found");
    }
    assert_eq!(uploads::stored(&server), Vec::<std::path::PathBuf>::new());
}

async fn uploads_are_limited_by_account(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "upload=2/1h")]).await;
    let app = uploads::app(&server).await;
    let (laptop, phone) =
        (Bearer::sign_in(&server, OWNER, "laptop").await, Bearer::sign_in(&server, OWNER, "phone").await);
    assert_eq!(upload(&laptop, &app, "a.txt", b"a").await.status, 201);
    assert_eq!(upload(&phone, &app, "b.txt", b"b").await.status, 201);
    let answer = Answer::to(uploads::request(&laptop, &app, form(&[file_part("c.txt", b"c")]))).await;
    assert_eq!(answer.outcome(), (429, "rate_limited".to_owned()));
    let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
    assert_eq!(upload(&member, &app, "d.txt", b"d").await.status, 201);
}

async fn external_identity_uploads_on_the_later_path_only(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ENTERPRISE_ENABLED", "true")]).await;
    let app = uploads::app(&server).await;
    let (token, id) = database::external_token(&server, "eve@idp.example", "laptop").await;
    let eve = Bearer::with_token(&server, &token, &id);
    let later = |bearer: &Bearer| {
        let sent = uploads::request(bearer, &app, form(&[file_part("a.txt", b"a")])).build().unwrap();
        let request = bearer.request(Method::POST, &format!("/openapi/v1/apps/{app}/files"));
        request.headers(sent.headers().clone()).body(form(&[file_part("a.txt", b"a")]))
    };
    assert_eq!(Answer::to(later(&eve)).await.outcome(), (404, "not_found".to_owned()), "not permitted");
    succeeded(server.command(&["app", "access-mode", "set", &app, "sso_verified"], ""));
    let answer = Answer::to(later(&eve)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let row = format!(
        "upload_files f JOIN end_users u ON u.id = f.created_by WHERE f.created_by_role = 'end_user' AND \
         u.session_id = 'eve@idp.example' AND u.app_id = '{app}'"
    );
    assert_eq!(database::count(&server, &row).await, 1);
    assert_eq!(upload(&eve, &app, "a.txt", b"a").await.outcome(), (403, "wrong_surface".to_owned()));
    let owner = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(Answer::to(later(&owner)).await.status, 201);
}
