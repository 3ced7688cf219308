//! Several replicas on one PostgreSQL and one Redis, and the degraded mode without Redis.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    redis_process::RedisProcess,
    server::{MEMBER, OWNER},
};

const ACCOUNT: &str = "/openapi/v1/account";

/// Two servers on the same stores; `None` with a message without test servers.
async fn two_replicas(variables: &[(&str, &str)]) -> Option<(TestServer, TestServer)> {
    let one = TestServer::start_with(Stores::servers().await?, variables).await;
    let other = one.replica().await;
    Some((one, other))
}

/// A server with its own Redis process.
async fn with_own_redis(variables: &[(&str, &str)]) -> Option<(TestServer, RedisProcess)> {
    let redis = RedisProcess::start().await?;
    let Stores::Servers { database, prefix, .. } = Stores::servers().await? else { return None };
    let stores = Stores::Servers { database, redis: redis.url(), prefix };
    Some((TestServer::start_with(stores, variables).await, redis))
}

/// Repeats a request until it has the expected status, because recovery takes real time.
async fn wait_for_status(mut ask: impl AsyncFnMut() -> Answer, expected: u16) -> Answer {
    for _ in 0..200 {
        let answer = ask().await;
        if answer.status == expected {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let last = ask().await;
    panic!("expected {expected}, found {}: {}", last.status, last.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_works_across_replicas() {
    let Some((one, other)) = two_replicas(&[]).await else { return };
    let device = Device::start(&one, "laptop").await;
    let browser = Browser::signed_in(&other, OWNER).await;
    assert_eq!(browser.approve(&device.user_code).await.0, 200);
    let body = device.poll_at(&one).await.json();
    let bearer = Bearer::with_token(&one, body["token"].as_str().unwrap(), body["token_id"].as_str().unwrap());
    for server in [&one, &other, &one] {
        assert_eq!(bearer.at(server).get(ACCOUNT).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_on_one_replica_applies_to_all_at_once() {
    let Some((one, other)) =
        two_replicas(&[("OPENAPI_RATE_LIMITS", "approve=0,device_code=0,user_code=0,account=0")]).await
    else {
        return;
    };
    let browser = Browser::signed_in(&one, OWNER).await;
    for round in 0..20 {
        let bearer = Bearer::sign_in_with(&one, &browser, "laptop").await;
        // Both replicas cache the token.
        assert_eq!(bearer.get(ACCOUNT).await.0, 200);
        assert_eq!(bearer.at(&other).get(ACCOUNT).await.0, 200);
        assert_eq!(bearer.at(&other).delete("/openapi/v1/account/sessions/self").await.0, 200);
        for server in [&one, &other] {
            assert_eq!(bearer.at(server).get(ACCOUNT).await.1["code"], "bearer_invalid", "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_on_one_replica_ends_the_old_token_on_all() {
    let Some((one, other)) = two_replicas(&[]).await else { return };
    let old = Bearer::sign_in(&one, OWNER, "laptop").await;
    assert_eq!(old.at(&other).get(ACCOUNT).await.0, 200);
    let new = Bearer::sign_in(&other, OWNER, "laptop").await;
    assert_eq!(new.token_id, old.token_id);
    assert_eq!(old.get(ACCOUNT).await.0, 401);
    assert_eq!(old.at(&other).get(ACCOUNT).await.0, 401);
    assert_eq!(new.at(&one).get(ACCOUNT).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limits_are_shared_between_replicas() {
    let Some((one, other)) =
        two_replicas(&[("OPENAPI_RATE_LIMIT_PER_TOKEN", "4"), ("OPENAPI_RATE_LIMITS", "device_code=3/1h")]).await
    else {
        return;
    };
    let bearer = Bearer::sign_in(&one, OWNER, "laptop").await;
    for server in [&one, &other, &one, &other] {
        assert_eq!(bearer.at(server).get("/openapi/v1/workspaces").await.0, 200);
    }
    for server in [&one, &other] {
        assert_eq!(bearer.at(server).get("/openapi/v1/workspaces").await.0, 429);
    }
    let ask = async |server: &TestServer| Device::request_codes(server, &json!({"client_id": "difyctl"})).await.status;
    assert_eq!((ask(&one).await, ask(&other).await, ask(&one).await, ask(&other).await), (200, 200, 429, 429));
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_on_one_replica_applies_to_all() {
    let Some((one, other)) = two_replicas(&[]).await else { return };
    let here = Browser::signed_in(&one, OWNER).await;
    let mut there = Browser::anonymous(&other);
    there.cookies = here.cookies.clone();
    assert!(there.is_signed_in().await);
    assert_eq!(here.post("/console/api/logout", &json!({})).await.0, 200);
    assert!(!there.is_signed_in().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_polls_on_two_replicas_return_one_token() {
    let Some((one, other)) = two_replicas(&[("OPENAPI_RATE_LIMITS", "approve=0,device_code=0,user_code=0")]).await
    else {
        return;
    };
    let browser = Browser::signed_in(&one, OWNER).await;
    for round in 0..20 {
        let device = Device::start(&one, "laptop").await;
        assert_eq!(browser.approve(&device.user_code).await.0, 200);
        let (first, second) = tokio::join!(device.poll_at(&one), device.poll_at(&other));
        let tokens = [first.status, second.status].iter().filter(|status| **status == 200).count();
        assert_eq!(tokens, 1, "round {round}: {} {}", first.text, second.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_bearers_work_and_the_device_flow_returns_503() {
    let Some((server, redis)) = with_own_redis(&[]).await else { return };
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let pending = Device::start(&server, "phone").await;
    assert_eq!(bearer.get(ACCOUNT).await.0, 200);
    redis.kill();

    for path in [ACCOUNT, "/openapi/v1/account/sessions", "/openapi/v1/workspaces"] {
        let answer = Answer::to(bearer.request(Method::GET, path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    let unknown = Bearer::with_token(&server, &format!("dfoa_{:043}", 1), "");
    assert_eq!(unknown.get(ACCOUNT).await.1["code"], "bearer_invalid");
    assert!(browser.is_signed_in().await);
    assert_eq!(browser.get("/openapi/v1/_health").await.0, 200);
    for (case, answer) in [
        ("code", Device::request_codes(&server, &json!({"client_id": "difyctl"})).await),
        ("token", pending.poll_at(&server).await),
        ("lookup", Answer::to(browser.bare(Method::GET, "/openapi/v1/oauth/device/lookup?user_code=3333-3333")).await),
        (
            "approve",
            Answer::to(
                browser
                    .request(Method::POST, "/openapi/v1/oauth/device/approve")
                    .json(&json!({"user_code": pending.user_code})),
            )
            .await,
        ),
    ] {
        assert_eq!(answer.outcome(), (503, "service_unavailable".to_owned()), "{case}");
        assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds >= 1), "{case}");
    }
    let answer = pending.poll_at(&server).await;
    assert_eq!(answer.json()["error"], "temporarily_unavailable");

    redis.restart().await;
    let answer = wait_for_status(
        async || Device::request_codes(&server, &json!({"client_id": "difyctl", "device_label": "new"})).await,
        200,
    )
    .await;
    assert_eq!(browser.approve(answer.json()["user_code"].as_str().unwrap()).await.0, 200);
    assert_eq!(pending.poll_error().await, "expired_token", "Redis lost the grant");
    assert_eq!(bearer.get(ACCOUNT).await.0, 200, "the session is in SQL");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_process_limits_for_itself() {
    let Some((server, redis)) = with_own_redis(&[("OPENAPI_RATE_LIMIT_PER_TOKEN", "3")]).await else { return };
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    redis.kill();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bearer.get("/openapi/v1/workspaces").await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_without_redis_is_stored_and_completed_later() {
    let Some((server, redis)) = with_own_redis(&[]).await else { return };
    let browser = Browser::signed_in(&server, OWNER).await;
    let keeper = Bearer::sign_in_with(&server, &browser, "keeper").await;
    let lost = Bearer::sign_in_with(&server, &browser, "lost").await;
    assert_eq!(lost.get(ACCOUNT).await.0, 200);
    let path = format!("/openapi/v1/account/sessions/{}", lost.token_id);
    redis.kill();

    let answer = Answer::to(keeper.request(Method::DELETE, &path)).await;
    assert_eq!(answer.outcome(), (503, "service_unavailable".to_owned()));
    assert!(!answer.header("retry-after").is_empty());
    let again = Answer::to(keeper.request(Method::DELETE, &path)).await;
    assert_eq!(again.status, 503, "not a 404 right after the revocation: {}", again.text);
    assert_eq!(lost.get(ACCOUNT).await.0, 401, "the session has ended in SQL");

    redis.restart().await;
    wait_for_status(async || Answer::to(keeper.request(Method::GET, ACCOUNT)).await, 200).await;
    let settled = wait_for_status(
        async || {
            let answer = Answer::to(keeper.request(Method::DELETE, &path)).await;
            assert!(matches!(answer.status, 200 | 404 | 503), "{}", answer.text);
            answer
        },
        200,
    );
    // The background job may complete the revocation first; then the session is not found.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), settled).await;
    assert_eq!(lost.get(ACCOUNT).await.0, 401);
    assert_eq!(keeper.get(ACCOUNT).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_revoked_without_redis_is_rejected_by_every_replica() {
    let Some((one, redis)) = with_own_redis(&[]).await else { return };
    let other = one.replica().await;
    let bearer = Bearer::sign_in(&one, MEMBER, "laptop").await;
    assert_eq!(bearer.at(&other).get(ACCOUNT).await.0, 200);
    redis.kill();
    assert_eq!(bearer.delete("/openapi/v1/account/sessions/self").await.0, 503);
    assert_eq!(bearer.at(&other).get(ACCOUNT).await.0, 401);
    redis.restart().await;
    for _ in 0..40 {
        assert_eq!(bearer.at(&one).get(ACCOUNT).await.0, 401);
        assert_eq!(bearer.at(&other).get(ACCOUNT).await.0, 401);
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_degraded_without_redis() {
    let Some((server, redis)) = with_own_redis(&[]).await else { return };
    let ready = async || Answer::to(reqwest::Client::new().get(server.admin("/readyz"))).await;
    assert_eq!(ready().await.status, 200);
    redis.kill();
    let answer = ready().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.contains("degraded"), "{}", answer.text);
}
