//! Multipart forms of runs: their files are uploaded, and the run gets them as inputs.

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer,
    command::succeeded,
    database,
    logs::Logs,
    runs::events,
    server::OWNER,
    uploads::{PNG, form, form_app, form_type, named_file, run_form, text_part},
};

on_both_stores!(
    form_of_a_run_uploads_its_files,
    form_without_files_is_a_run,
    files_of_runs_count_as_uploads,
    form_on_the_later_path_streams_for_external_identities
);

/// An app with a number, a picture and a list of papers.
async fn app(server: &TestServer) -> String {
    let variables = json!([
        {"variable": "age", "type": "number"},
        {"variable": "photo", "type": "file", "allowed_file_types": ["image"]},
        {"variable": "papers", "type": "file-list", "max_length": 2},
    ]);
    form_app(server, &variables).await
}

async fn form_of_a_run_uploads_its_files(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (owner, app) = (Bearer::sign_in(&server, OWNER, "laptop").await, app(&server).await);
    let logs = Logs::capture();
    let parts = [
        text_part("inputs", "{\"age\": 5}"),
        named_file("files[photo]", "我 1.png", PNG),
        named_file("files[papers][]", "a.txt", b"a"),
        text_part("response_mode", "blocking"),
        named_file("files[papers][]", "empty.txt", b""),
    ];
    let answer = Answer::to(run_form(&owner, &app, &parts)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let outputs = &answer.json()["data"]["outputs"];
    assert_eq!((&outputs["photo"]["filename"], &outputs["age"]), (&json!("我 1.png"), &json!(5)), "{outputs}");
    let names: Vec<_> = outputs["papers"].as_array().unwrap().iter().map(|paper| &paper["filename"]).collect();
    assert_eq!(names, ["a.txt", "empty.txt"], "{outputs}");
    assert_eq!(database::count(&server, "upload_files").await, 3);
    assert_eq!(logs.matching(&["app.file.uploaded", &app, OWNER]).len(), 3);
}

async fn form_without_files_is_a_run(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (owner, app) = (Bearer::sign_in(&server, OWNER, "laptop").await, app(&server).await);
    let mode = || text_part("response_mode", "\"blocking\"");
    let run = async |parts: &[(String, Vec<u8>)]| Answer::to(run_form(&owner, &app, parts)).await;
    let answer = run(&[mode(), text_part("inputs", "{\"age\": 7}")]).await;
    assert_eq!(answer.json()["data"]["outputs"]["age"], 7, "{}", answer.text);
    // As in JSON, `inputs` is required.
    assert_eq!(run(&[mode()]).await.status, 400);
    assert_eq!(run(&[]).await.status, 400);
}

async fn files_of_runs_count_as_uploads(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "upload=2/1h")]).await;
    let (owner, app) = (Bearer::sign_in(&server, OWNER, "laptop").await, app(&server).await);
    let run = async |names: &[&str]| {
        let files = names.iter().map(|name| named_file("files[papers][]", name, b"a"));
        let parts: Vec<_> = std::iter::once(text_part("inputs", "{}")).chain(files).collect();
        Answer::to(run_form(&owner, &app, &parts)).await
    };
    assert_eq!(run(&["a.txt", "b.txt"]).await.status, 200);
    assert_eq!(run(&["c.txt"]).await.outcome(), (429, "rate_limited".to_owned()));
    assert_eq!(run(&[]).await.status, 200, "without files");
}

async fn form_on_the_later_path_streams_for_external_identities(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ENTERPRISE_ENABLED", "true")]).await;
    let app = app(&server).await;
    let (token, id) = database::external_token(&server, "eve@idp.example", "laptop").await;
    let eve = Bearer::with_token(&server, &token, &id);
    let run = || {
        let parts = [text_part("inputs", "{}"), named_file("files[photo]", "a.png", PNG)];
        let request = eve.request(Method::POST, &format!("/openapi/v1/apps/{app}/workflow:run"));
        Answer::to(request.header(CONTENT_TYPE, form_type()).body(form(&parts)))
    };
    assert_eq!(run().await.outcome(), (404, "not_found".to_owned()), "not permitted");
    assert_eq!(database::count(&server, "upload_files").await, 0);
    succeeded(server.command(&["app", "access-mode", "set", &app, "sso_verified"], ""));
    let answer = run().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"), "{}", answer.text);
    let last: Value = events(&answer.text).pop().unwrap();
    assert_eq!(last["data"]["outputs"]["photo"]["filename"], "a.png", "{last}");
    assert_eq!(database::count(&server, "upload_files WHERE created_by_role = 'end_user'").await, 1);
}
