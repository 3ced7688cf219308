//! Everything at once, all the time, while the stores come and go: nobody is told anything wrong, however bad the moment.

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

/// What is shared by everybody in the storm.
#[derive(Default)]
struct Load {
    stopped: AtomicBool,
    /// Tokens whose revocation was answered with success: dead for good.
    revoked: Mutex<Vec<Bearer>>,
    sign_ins: AtomicUsize,
    answers: AtomicUsize,
}

impl Load {
    fn is_running(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    /// One answer, which may be that it is a bad moment.
    async fn send(&self, what: &'static str, request: RequestBuilder, allowed: &[&str]) -> Answer {
        let outcome = outcome(what, request).await;
        let known = outcome.code == "503 service_unavailable" || allowed.contains(&outcome.code.as_str());
        assert!(known, "{what}: {} {}", outcome.code, outcome.answer.text);
        self.answers.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        outcome.answer
    }

    /// The same until it is a good moment: `None` when the storm is over before. Whether there was a bad one.
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

/// Reads with sessions that live all the time.
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
        load.send("login", deployment.login(), &["200 ok"]).await;
    }
}

/// Looks at sessions from the side of other services, and at those that have ended.
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

/// Signs in, uses the session, ends it, and begins again.
async fn sign_in_and_out_repeatedly(deployment: &Deployment, load: &Load, label: &str) {
    while load.is_running() {
        let _ = sign_in_and_out(deployment, load, label).await;
    }
}

async fn sign_in_and_out(deployment: &Deployment, load: &Load, label: &str) -> Option<()> {
    let ask = || deployment.public(CODE, &json!({"client_id": "difyctl", "device_label": label}));
    let codes = load.retry("code", ask, &["200 ok"]).await?.0.json();
    let decide = || deployment.browser.request(Method::POST, APPROVE).json(&json!({"user_code": codes["user_code"]}));
    // A Redis that came back empty knows no code; one that was slow may have had_errors us the first time.
    let decided = ["200 ok", "404 not_found", "409 already_resolved", "409 approve_in_progress"];
    let (approval, retried) = load.retry("approve", decide, &decided).await?;
    assert!(matches!(approval.status, 200 | 404) || retried, "{}", approval.text);
    let body = poll(deployment, load, &codes, approval.status == 200).await?;
    let bearer = Bearer::with_token(&deployment.server, body["token"].as_str()?, body["token_id"].as_str()?);
    load.sign_ins.fetch_add(1, Ordering::Relaxed);
    // Whoever has been given a token can use it, until it is taken away.
    for _ in 0..3 {
        load.retry("use", || bearer.request(Method::GET, ACCOUNT), &["200 ok"]).await?;
    }
    let leave = || bearer.request(Method::DELETE, "/openapi/v1/account/sessions/self");
    let (gone, retried) = load.retry("leave", leave, &["200 ok", "401 bearer_invalid"]).await?;
    // What SQL has ended is no session any more, though it could not be said at the time.
    assert!(gone.status == 200 || retried, "{}", gone.text);
    load.revoked.lock().push(bearer);
    Some(())
}

/// Polls until there is a token, or there will be none.
async fn poll(deployment: &Deployment, load: &Load, codes: &Value, approved: bool) -> Option<Value> {
    let body = json!({"client_id": "difyctl", "device_code": codes["device_code"]});
    let outcomes = ["200 ok", "400 slow_down", "400 authorization_pending", "400 expired_token", "400 access_denied"];
    let mut had_errors = false;
    loop {
        let (answer, bad) = load.retry("poll", || deployment.public(TOKEN, &body), &outcomes).await?;
        had_errors |= bad;
        match answer.code().as_str() {
            "ok" => return Some(answer.json()),
            // Emptied, or given out in an answer that never came.
            "expired_token" => return None,
            "slow_down" if had_errors => {
                tokio::time::sleep(Duration::from_secs(answer.json()["interval"].as_u64().unwrap())).await;
            }
            // The approval never arrived, or its session was taken back.
            "authorization_pending" | "access_denied" if !approved => return None,
            _ => panic!("{}", answer.text),
        }
    }
}

/// One store after the other goes and comes back, and each time everything heals.
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
    // Longer than a call may take, so that calls end in the middle of what they were doing.
    tokio::time::sleep(Duration::from_secs(7)).await;
    deployment.postgres.resume();
    deployment.wait_until_healthy().await;
    deployment.postgres.kill();
    a_while().await;
    deployment.postgres.restart().await;
    deployment.wait_until_healthy().await;
    // Shorter than a call may take, so that calls go on where they were.
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
    tokio::join!(readers, checkers, users, storm);
    let (answers, sign_ins) = (load.answers.into_inner(), load.sign_ins.into_inner());
    let revoked = load.revoked.into_inner();
    // Far fewer than there are where nothing else runs.
    assert!(answers > 100 && sign_ins > 2 && revoked.len() > 2, "{answers} answers, {sign_ins} sign-ins");
    for bearer in revoked {
        assert_eq!(bearer.get(ACCOUNT).await.0, 401);
    }
}
