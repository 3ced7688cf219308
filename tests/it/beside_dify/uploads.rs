//! Uploads that are forwarded to Dify's service API.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{
    Answer, Dify, database,
    dify::{ALICE, ALICE_ID},
    fake_dify::{FakeDify, error_response},
    grpc::reason,
    logs::Logs,
    uploads::{self, file_part, form, upload, upload_over_grpc},
};

/// "Plain Chat" in "Acme Inc.".
const CHAT: &str = "4184c571-f427-520d-bb7c-d353feed73b9";
const FILE: &str = "5f0c8b1e-52a5-4b42-9b05-0a7f2f3b9d10";

fn uploaded() -> Value {
    json!({
        "id": FILE, "name": "a b.txt", "size": 7, "extension": "txt", "mime_type": "text/plain",
        "created_by": "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55", "created_at": 1_795_253_400,
        "preview_url": "https://dify.example.com/files/x/file-preview?sign=1",
    })
}

async fn start(response: impl Fn() -> Response + Send + Sync + 'static) -> Option<(FakeDify, Dify)> {
    let upstream = FakeDify::start(move |_| std::future::ready(response())).await;
    let variables = [("DIFY_API_URL", &*upstream.url), ("OPENAPI_RATE_LIMITS", "token=0,upload=0")];
    let dify = Dify::start_with(&variables).await?;
    Some((upstream, dify))
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_is_forwarded_with_the_key_of_the_app() {
    let Some((upstream, dify)) = start(|| (StatusCode::CREATED, Json(uploaded())).into_response()).await else {
        return;
    };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let rows = database::count(&dify, "upload_files").await;
    let answer = upload(&alice, CHAT, "a b.txt", b"content").await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let body = answer.json();
    assert_eq!(
        (&body["id"], &body["size"], &body["created_at"]),
        (&json!(FILE), &json!(7), &json!("2026-11-21T09:30:00Z"))
    );
    assert_eq!(body["preview_url"], "https://dify.example.com/files/x/file-preview?sign=1");
    let file = upload_over_grpc(&dify, &alice, CHAT, ("a b.txt", b"content"), 3).await.unwrap();
    assert_eq!(file.id, FILE);
    let calls = upstream.runs();
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert_eq!(call.path, "/v1/files/upload");
        let of_app = format!("api_tokens WHERE app_id = '{CHAT}' AND type = 'app' AND token = '{}'", call.key);
        assert_eq!(database::count(&dify, &of_app).await, 1, "the app's own key");
        let form = call.body.as_str().unwrap();
        assert!(form.contains("name=\"user\"\r\n\r\nopenapi-829bcc736e9a3c4b9e012faa0f1f80ce\r\n"), "{form}");
        assert!(form.contains("filename=\"a b.txt\"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n--"), "{form}");
    }
    assert_eq!(database::count(&dify, "upload_files").await, rows, "Dify writes its own rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_dify_keep_their_code() {
    let refusal = r#"{"code": "file_too_large", "message": "File size exceeded.", "status": 413}"#;
    let Some((_upstream, dify)) = start(move || error_response(413, "application/json", refusal)).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let answer = upload(&alice, CHAT, "a.txt", b"content").await;
    assert_eq!(answer.outcome(), (413, "file_too_large".to_owned()), "{}", answer.text);
    let status = upload_over_grpc(&dify, &alice, CHAT, ("a.txt", b"content"), 3).await.unwrap_err();
    assert_eq!(reason(&status), "file_too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_has_no_address_here_when_dify_returns_none() {
    let mut without = uploaded();
    without.as_object_mut().unwrap().remove("preview_url");
    let respond = move || (StatusCode::CREATED, Json(without.clone())).into_response();
    let Some((_upstream, dify)) = start(respond).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let answer = upload(&alice, CHAT, "a.txt", b"content").await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!((&answer.json()["preview_url"], &answer.json()["source_url"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_whose_client_leaves_before_the_answer_is_audited() {
    const ABANDONED: &str = "7a0c8b1e-52a5-4b42-9b05-0a7f2f3b9d11";
    let logs = Logs::capture();
    let (received, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (has_received, released) = (Arc::clone(&received), Arc::clone(&release));
    let upstream = FakeDify::start(move |_| {
        let (has_received, released) = (Arc::clone(&has_received), Arc::clone(&released));
        async move {
            has_received.notify_one();
            released.notified().await;
            let mut answer = uploaded();
            answer["id"] = json!(ABANDONED);
            (StatusCode::CREATED, Json(answer)).into_response()
        }
    })
    .await;
    let variables = [("DIFY_API_URL", &*upstream.url), ("OPENAPI_RATE_LIMITS", "token=0,upload=0")];
    let Some(dify) = Dify::start_with(&variables).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let sent = tokio::spawn(Answer::to(uploads::request(&alice, CHAT, form(&[file_part("a.txt", b"content")]))));
    received.notified().await;
    sent.abort();
    assert!(sent.await.is_err(), "the client left");
    // Long enough for the server to see it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    release.notify_one();
    for _ in 0..500 {
        if logs.matching(&["app.file.uploaded", ABANDONED, ALICE]).len() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the upload was not audited");
}
