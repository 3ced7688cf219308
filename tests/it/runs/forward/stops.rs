//! Stops that are forwarded.

use axum::response::IntoResponse as _;
use dify_openapi::testing::{
    domain::{AppMode, TaskId},
    ports::{AppRuntime as _, RunOfUser},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    fake_dify::{FakeDify, error_response},
    fixture::Fixture,
};

/// Stops a task of the app.
async fn stop(fixture: &Fixture) -> Result<(), &'static str> {
    let run = fixture.run(AppMode::Workflow);
    let of = RunOfUser { app: &run.app, user: &run.user };
    fixture.runtime.stop(of, TaskId(Uuid::new_v4())).await.map_err(|error| error.code().as_str())
}

#[tokio::test]
async fn stop_with_a_replaced_key_is_sent_again_with_the_new_one() {
    let upstream = FakeDify::start_with_stops(|call| async move {
        if call.key == "app-second" {
            return axum::Json(json!({"result": "success"})).into_response();
        }
        let body = json!({"code": "unauthorized", "message": "Access token is invalid", "status": 401});
        error_response(401, "application/json", body.to_string())
    })
    .await;
    let fixture = Fixture::new(&upstream).await;
    fixture.replace_key("app-first").await;
    assert_eq!(stop(&fixture).await, Err("upstream_error"));
    assert_eq!(upstream.wait_for_stops(1).await.len(), 1, "the same key is not tried twice");
    assert_eq!(stop(&fixture).await, Err("upstream_error"));
    // The runtime has cached the first key.
    fixture.replace_key("app-second").await;
    assert_eq!(stop(&fixture).await, Ok(()));
    let keys: Vec<_> = upstream.wait_for_stops(3).await.into_iter().map(|call| call.key).collect();
    assert_eq!(keys.last().unwrap(), "app-second");
}
