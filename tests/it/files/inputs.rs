//! Files as inputs of runs: what is refused before anything runs.

use serde_json::json;

use crate::support::{
    Bearer, Stores, TestServer, database,
    runs::blocking,
    server::{MEMBER, OWNER},
    uploads::{PNG, form_app, upload},
};

on_both_stores!(files_that_a_form_does_not_allow_are_refused_before_the_run);

async fn files_that_a_form_does_not_allow_are_refused_before_the_run(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = form_app(
        &server,
        &json!([
            {"variable": "age", "type": "number"},
            {"variable": "photo", "type": "file", "allowed_file_types": ["image"],
             "allowed_file_upload_methods": ["local_file"]},
            {"variable": "papers", "type": "file-list", "allowed_file_types": ["custom"],
             "allowed_file_extensions": [".pdf"]},
        ]),
    )
    .await;
    let owner = Bearer::sign_in(&server, OWNER, "laptop").await;
    let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let id = |answer: crate::support::Answer| answer.json()["id"].as_str().unwrap().to_owned();
    let png = id(upload(&owner, &app, "a.png", PNG).await);
    let text = id(upload(&owner, &app, "a.txt", b"text").await);
    let foreign = id(upload(&member, &app, "b.png", PNG).await);
    let local = |id: &str| json!({"type": "image", "transfer_method": "local_file", "upload_file_id": id});
    let remote = json!({"type": "image", "transfer_method": "remote_url", "url": "https://example.com/a.png"});
    let unknown = "is not a file that you uploaded";
    let other = "has another type than its file";
    let kind = "has a type that is not among the allowed_file_types and allowed_file_extensions";
    for (name, value, expected) in [
        ("photo", local("00000000-0000-4000-8000-000000000000"), unknown),
        ("photo", local("nothing"), unknown),
        ("photo", local(&foreign), unknown),
        ("photo", local(&text), other),
        ("photo", json!({"transfer_method": "local_file", "upload_file_id": text}), kind),
        ("photo", remote.clone(), "has a transfer_method that is not among the allowed_file_upload_methods"),
        ("photo", json!({"type": "image"}), "has a transfer_method other than local_file and remote_url"),
        ("papers", json!([{"type": "custom", "transfer_method": "local_file", "upload_file_id": text}]), kind),
        ("papers", json!([local(&png)]), kind),
    ] {
        let answer = blocking(&owner, &app, json!({"inputs": {name: value}})).await;
        assert_eq!(answer.outcome(), (422, "invalid_param".to_owned()), "{name} {value}: {}", answer.text);
        let error = answer.json();
        assert!(error["message"].as_str().unwrap().contains(expected), "{error}");
        assert_eq!(error["details"][0]["loc"], json!(["body", "inputs", name]), "{error}");
    }
    // Every failure is a detail, in the order of the form.
    let inputs = json!({"papers": [remote], "photo": local(&foreign), "age": "x"});
    let error = blocking(&owner, &app, json!({"inputs": inputs})).await.json();
    let places: Vec<_> = error["details"].as_array().unwrap().iter().map(|detail| &detail["loc"][2]).collect();
    assert_eq!(places, ["age", "photo", "papers"], "{error}");
    assert_eq!(database::count(&server, "workflow_runs").await, 0);
}
