//! Continuous load while the stores stop and restart: each response is correct or a 503.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{
    Deployment,
    requests::{ACCOUNT, APPROVE, PROFILE, SESSIONS, WORKSPACES, outcome},
};
use crate::support::{
    Answer, Bearer,
    cli_device::{CODE, TOKEN},
};

/// The state that all tasks share.
#[derive(Default)]
struct Load {
    stopped: AtomicBool,
    /// Tokens whose revocation succeeded.
    revoked: Mutex<Vec<Bearer>>,
    sign_ins: AtomicUsize,
    answers: AtomicUsize,
}

impl Load {
    fn is_running(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    /// Sends a request, whose outcome must be allowed or a 503.
    async fn send(&self, what: &'static str, request: RequestBuilder, allowed: &[&str]) -> Answer {
        let outcome = outcome(what, request).await;
        let known = outcome.code == "503 service_unavailable" || allowed.contains(&outcome.code.as_str());
        assert!(known, "{what}: {} {}", outcome.code, outcome.answer.text);
        self.answers.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        outcome.answer
    }

    /// Repeats a request until the response is not a 503. Returns it and whether a 503 came before; `None` when the
    /// load stops.
    async fn retry(
        &self,
        what: &'static str,
        request: impl Fn() -> RequestBuilder,
        allowed: &[&str],
    ) -> Option<(Answer, bool)> {
        let mut bad = false;
        while self.is_running() {
            let answer = self.send(what, request(), allowed).await;
            if answer.status != 503 {
                return Some((answer, bad));
            }
            bad = true;
        }
        None
    }
}

/// Reads with a session that stays active.
async fn read(deployment: &Deployment, load: &Load) {
    while load.is_running() {
        for path in [ACCOUNT, SESSIONS, WORKSPACES] {
            let answer = load.send("read", deployment.warm.request(Method::GET, path), &["200 ok"]).await;
            if path == SESSIONS && answer.status == 200 {
                let body = answer.json();
                let mut ids = body["data"].as_array().unwrap().iter().map(|session| &session["id"]);
                assert!(ids.any(|id| id == &Value::from(deployment.warm.token_id.clone())), "{body}");
            }
        }
        load.send("profile", deployment.browser.request(Method::GET, PROFILE), &["200 ok"]).await;
    }
}

/// Signs in with a password. One task only, because the open attempts of an account are limited.
async fn sign_in(deployment: &Deployment, load: &Load) {
    while load.is_running() {
        load.send("login", deployment.login(), &["200 ok"]).await;
    }
}

/// Introspects sessions, active and revoked, and uses revoked tokens.
async fn check_tokens(deployment: &Deployment, load: &Load) {
    while load.is_running() {
        load.send("introspect", deployment.introspection(&deployment.warm.token), &["200 active true"]).await;
        load.send("introspect, revoked", deployment.introspection(&deployment.revoked.token), &["200 active false"])
            .await;
        let revoked = load.revoked.lock().clone();
        for bearer in revoked.iter().rev().take(20) {
            load.send("revoked", bearer.request(Method::GET, ACCOUNT), &["401 bearer_invalid"]).await;
            load.send("introspect, dead", deployment.introspection(&bearer.token), &["200 active false"]).await;
        }
    }
}

/// Repeats the whole life of a session.
async fn sign_in_and_out_repeatedly(deployment: &Deployment, load: &Load, label: &str) {
    while load.is_running() {
        let _ = sign_in_and_out(deployment, load, label).await;
    }
}

async fn sign_in_and_out(deployment: &Deployment, load: &Load, label: &str) -> Option<()> {
    let ask = || deployment.public(CODE, &json!({"client_id": "difyctl", "device_label": label}));
    let codes = load.retry("code", ask, &["200 ok"]).await?.0.json();
    let decide = || deployment.browser.request(Method::POST, APPROVE).json(&json!({"user_code": codes["user_code"]}));
    // Redis may have lost the code, or may have processed the first attempt after its timeout.
    let decided = ["200 ok", "404 not_found", "409 already_resolved", "409 approve_in_progress"];
    let (approval, retried) = load.retry("approve", decide, &decided).await?;
    assert!(matches!(approval.status, 200 | 404) || retried, "{}", approval.text);
    let body = poll(deployment, load, &codes, approval.status == 200).await?;
    let bearer = Bearer::with_token(&deployment.server, body["token"].as_str()?, body["token_id"].as_str()?);
    load.sign_ins.fetch_add(1, Ordering::Relaxed);
    // A token that was issued works until it is revoked.
    for _ in 0..3 {
        load.retry("use", || bearer.request(Method::GET, ACCOUNT), &["200 ok"]).await?;
    }
    let leave = || bearer.request(Method::DELETE, "/openapi/v1/account/sessions/self");
    let (gone, retried) = load.retry("leave", leave, &["200 ok", "401 bearer_invalid"]).await?;
    // SQL may have ended the session in an attempt that returned 503.
    assert!(gone.status == 200 || retried, "{}", gone.text);
    load.revoked.lock().push(bearer);
    Some(())
}

/// Polls until there is a token or a final error.
async fn poll(deployment: &Deployment, load: &Load, codes: &Value, approved: bool) -> Option<Value> {
    let body = json!({"client_id": "difyctl", "device_code": codes["device_code"]});
    let outcomes = ["200 ok", "400 slow_down", "400 authorization_pending", "400 expired_token", "400 access_denied"];
    let mut had_errors = false;
    loop {
        let (answer, bad) = load.retry("poll", || deployment.public(TOKEN, &body), &outcomes).await?;
        had_errors |= bad;
        match answer.code().as_str() {
            "ok" => return Some(answer.json()),
            // Redis was emptied, or the response with the token was lost.
            "expired_token" => return None,
            "slow_down" if had_errors => {
                tokio::time::sleep(Duration::from_secs(answer.json()["interval"].as_u64().unwrap())).await;
            }
            // The approval was lost, or its session was revoked again.
            "authorization_pending" | "access_denied" if !approved => return None,
            _ => panic!("{}", answer.text),
        }
    }
}

/// Stops and restarts each store and waits for the recovery each time.
async fn restart_stores(deployment: &Deployment) {
    let a_while = || tokio::time::sleep(Duration::from_millis(1_500));
    a_while().await;
    deployment.redis.pause();
    a_while().await;
    deployment.redis.resume();
    deployment.wait_until_healthy().await;
    deployment.redis.kill();
    a_while().await;
    deployment.redis.restart().await;
    deployment.wait_until_healthy().await;
    deployment.postgres.pause();
    // Longer than the timeout of a call, so calls fail midway.
    tokio::time::sleep(Duration::from_secs(7)).await;
    deployment.postgres.resume();
    deployment.wait_until_healthy().await;
    deployment.postgres.kill();
    a_while().await;
    deployment.postgres.restart().await;
    deployment.wait_until_healthy().await;
    // Shorter than the timeout of a call, so calls continue.
    deployment.postgres.pause();
    deployment.redis.pause();
    a_while().await;
    deployment.redis.resume();
    deployment.postgres.resume();
    deployment.wait_until_healthy().await;
    a_while().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_stay_correct_while_stores_restart_under_load() {
    let Some(deployment) = Deployment::start().await else { return };
    let load = Load::default();
    let labels: Vec<_> = (0..4).map(|nth| format!("storm {nth}")).collect();
    let readers = futures_util::future::join_all((0..3).map(|_| read(&deployment, &load)));
    let checkers = futures_util::future::join_all((0..2).map(|_| check_tokens(&deployment, &load)));
    let users = futures_util::future::join_all(
        labels.iter().map(|label| sign_in_and_out_repeatedly(&deployment, &load, label)),
    );
    let storm = async {
        restart_stores(&deployment).await;
        load.stopped.store(true, Ordering::Relaxed);
    };
    tokio::join!(readers, sign_in(&deployment, &load), checkers, users, storm);
    let (answers, sign_ins) = (load.answers.into_inner(), load.sign_ins.into_inner());
    let revoked = load.revoked.into_inner();
    // A low bound, because the machine may be busy.
    assert!(answers > 100 && sign_ins > 2 && revoked.len() > 2, "{answers} answers, {sign_ins} sign-ins");
    for bearer in revoked {
        assert_eq!(bearer.get(ACCOUNT).await.0, 401);
    }
}
