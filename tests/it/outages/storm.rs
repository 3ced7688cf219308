//! Everything at once, all the time, while the stores come and go: nobody is told anything wrong, however bad the moment.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{
    Scene,
    act::{ACCOUNT, APPROVE, PROFILE, SESSIONS, WORKSPACES, outcome},
};
use crate::support::{
    Answer, Bearer,
    cli_device::{CODE, TOKEN},
};

/// What is shared by everybody in the storm.
#[derive(Default)]
struct Weather {
    over: AtomicBool,
    /// Tokens whose revocation was answered with success: dead for good.
    graves: Mutex<Vec<Bearer>>,
    sign_ins: AtomicUsize,
    answers: AtomicUsize,
}

impl Weather {
    fn lasts(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    /// One answer, which may be that it is a bad moment.
    async fn ask(&self, what: &'static str, request: RequestBuilder, allowed: &[&str]) -> Answer {
        let outcome = outcome(what, request).await;
        let known = outcome.code == "503 service_unavailable" || allowed.contains(&outcome.code.as_str());
        assert!(known, "{what}: {} {}", outcome.code, outcome.answer.text);
        self.answers.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        outcome.answer
    }

    /// The same until it is a good moment: `None` when the storm is over before. Whether there was a bad one.
    async fn insist(
        &self,
        what: &'static str,
        request: impl Fn() -> RequestBuilder,
        allowed: &[&str],
    ) -> Option<(Answer, bool)> {
        let mut bad = false;
        while self.lasts() {
            let answer = self.ask(what, request(), allowed).await;
            if answer.status != 503 {
                return Some((answer, bad));
            }
            bad = true;
        }
        None
    }
}

/// Reads with sessions that live all the time.
async fn read(scene: &Scene, weather: &Weather) {
    while weather.lasts() {
        for path in [ACCOUNT, SESSIONS, WORKSPACES] {
            let answer = weather.ask("read", scene.warm.request(Method::GET, path), &["200 ok"]).await;
            if path == SESSIONS && answer.status == 200 {
                let body = answer.json();
                let mut ids = body["data"].as_array().unwrap().iter().map(|session| &session["id"]);
                assert!(ids.any(|id| id == &Value::from(scene.warm.token_id.clone())), "{body}");
            }
        }
        weather.ask("profile", scene.browser.request(Method::GET, PROFILE), &["200 ok"]).await;
        weather.ask("login", scene.login(), &["200 ok"]).await;
    }
}

/// Looks at sessions from the side of other services, and at those that have ended.
async fn look(scene: &Scene, weather: &Weather) {
    while weather.lasts() {
        weather.ask("introspect", scene.introspection(&scene.warm.token), &["200 active true"]).await;
        weather.ask("introspect, revoked", scene.introspection(&scene.revoked.token), &["200 active false"]).await;
        let graves = weather.graves.lock().clone();
        for bearer in graves.iter().rev().take(20) {
            weather.ask("revoked", bearer.request(Method::GET, ACCOUNT), &["401 bearer_invalid"]).await;
            weather.ask("introspect, dead", scene.introspection(&bearer.token), &["200 active false"]).await;
        }
    }
}

/// Signs in, uses the session, ends it, and begins again.
async fn come_and_go(scene: &Scene, weather: &Weather, label: &str) {
    while weather.lasts() {
        let _ = sign_in_and_out(scene, weather, label).await;
    }
}

async fn sign_in_and_out(scene: &Scene, weather: &Weather, label: &str) -> Option<()> {
    let ask = || scene.public(CODE, &json!({"client_id": "difyctl", "device_label": label}));
    let codes = weather.insist("code", ask, &["200 ok"]).await?.0.json();
    let decide = || scene.browser.request(Method::POST, APPROVE).json(&json!({"user_code": codes["user_code"]}));
    // A Redis that came back empty knows no code; one that was slow may have heard us the first time.
    let decided = ["200 ok", "404 not_found", "409 already_resolved", "409 approve_in_progress"];
    let (approval, doubtful) = weather.insist("approve", decide, &decided).await?;
    assert!(matches!(approval.status, 200 | 404) || doubtful, "{}", approval.text);
    let body = poll(scene, weather, &codes, approval.status == 200).await?;
    let bearer = Bearer::holding(&scene.server, body["token"].as_str()?, body["token_id"].as_str()?);
    weather.sign_ins.fetch_add(1, Ordering::Relaxed);
    // Whoever has been given a token can use it, until it is taken away.
    for _ in 0..3 {
        weather.insist("use", || bearer.request(Method::GET, ACCOUNT), &["200 ok"]).await?;
    }
    let leave = || bearer.request(Method::DELETE, "/openapi/v1/account/sessions/self");
    let (gone, doubtful) = weather.insist("leave", leave, &["200 ok", "401 bearer_invalid"]).await?;
    // What SQL has ended is no session any more, though it could not be said at the time.
    assert!(gone.status == 200 || doubtful, "{}", gone.text);
    weather.graves.lock().push(bearer);
    Some(())
}

/// Polls until there is a token, or there will be none.
async fn poll(scene: &Scene, weather: &Weather, codes: &Value, approved: bool) -> Option<Value> {
    let body = json!({"client_id": "difyctl", "device_code": codes["device_code"]});
    let outcomes = ["200 ok", "400 slow_down", "400 authorization_pending", "400 expired_token", "400 access_denied"];
    let mut heard = false;
    loop {
        let (answer, bad) = weather.insist("poll", || scene.public(TOKEN, &body), &outcomes).await?;
        heard |= bad;
        match answer.code().as_str() {
            "ok" => return Some(answer.json()),
            // Emptied, or given out in an answer that never came.
            "expired_token" => return None,
            "slow_down" if heard => {
                tokio::time::sleep(Duration::from_secs(answer.json()["interval"].as_u64().unwrap())).await;
            }
            // The approval never arrived, or its session was taken back.
            "authorization_pending" | "access_denied" if !approved => return None,
            _ => panic!("{}", answer.text),
        }
    }
}

/// One store after the other goes and comes back, and each time everything heals.
async fn weather_of(scene: &Scene) {
    let a_while = || tokio::time::sleep(Duration::from_millis(1_500));
    a_while().await;
    scene.redis.pause();
    a_while().await;
    scene.redis.go_on();
    scene.heals().await;
    scene.redis.kill();
    a_while().await;
    scene.redis.bring_back().await;
    scene.heals().await;
    scene.postgres.pause();
    // Longer than a call may take, so that calls end in the middle of what they were doing.
    tokio::time::sleep(Duration::from_secs(7)).await;
    scene.postgres.go_on();
    scene.heals().await;
    scene.postgres.kill();
    a_while().await;
    scene.postgres.bring_back().await;
    scene.heals().await;
    // Shorter than a call may take, so that calls go on where they were.
    scene.postgres.pause();
    scene.redis.pause();
    a_while().await;
    scene.redis.go_on();
    scene.postgres.go_on();
    scene.heals().await;
    a_while().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_come_and_go_in_the_middle_of_everything() {
    let Some(scene) = Scene::set().await else { return };
    let weather = Weather::default();
    let labels: Vec<_> = (0..4).map(|nth| format!("storm {nth}")).collect();
    let readers = futures_util::future::join_all((0..3).map(|_| read(&scene, &weather)));
    let lookers = futures_util::future::join_all((0..2).map(|_| look(&scene, &weather)));
    let guests = futures_util::future::join_all(labels.iter().map(|label| come_and_go(&scene, &weather, label)));
    let storm = async {
        weather_of(&scene).await;
        weather.over.store(true, Ordering::Relaxed);
    };
    tokio::join!(readers, lookers, guests, storm);
    let (answers, sign_ins) = (weather.answers.into_inner(), weather.sign_ins.into_inner());
    let graves = weather.graves.into_inner();
    // Far fewer than there are where nothing else runs.
    assert!(answers > 100 && sign_ins > 2 && graves.len() > 2, "{answers} answers, {sign_ins} sign-ins");
    for bearer in graves {
        assert_eq!(bearer.get(ACCOUNT).await.0, 401);
    }
}
