//! People who sign in, use tokens and revoke them, one after the other, while Redis fails over. Every reply is the one
//! of a working server, or 503.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::{
    Answer, Bearer, Browser, Device, TestServer,
    server::{MEMBER, OWNER},
};

const ACCOUNT: &str = "/openapi/v1/account";
const SELF: &str = "/openapi/v1/account/sessions/self";
const APPROVE: &str = "/openapi/v1/oauth/device/approve";
/// Pause after a 503.
const PAUSE: Duration = Duration::from_millis(50);
/// The time limit until people sign in again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(40);
/// People at once.
const PEOPLE: usize = 4;

const OK: (u16, &str) = (200, "ok");
const UNAVAILABLE: (u16, &str) = (503, "service_unavailable");
const INVALID: (u16, &str) = (401, "bearer_invalid");

/// The people, and what they have done.
pub struct Traffic<'a> {
    server: &'a TestServer,
    stopped: AtomicBool,
    /// Tokens that were delivered, used and revoked.
    completed: AtomicUsize,
    /// Tokens that are not revoked.
    kept: Mutex<Vec<Bearer>>,
}

impl<'a> Traffic<'a> {
    pub fn new(server: &'a TestServer) -> Self {
        Self { server, stopped: AtomicBool::new(false), completed: AtomicUsize::new(0), kept: Mutex::default() }
    }

    /// Runs `faults` while people work, waits until they sign in again, and uses the tokens that were kept.
    pub async fn during(&self, faults: impl Future<Output = ()>) {
        let mut browsers = Vec::new();
        for nth in 0..PEOPLE {
            browsers.push(Browser::signed_in(self.server, [OWNER, MEMBER][nth % 2]).await);
        }
        let people = browsers.iter().enumerate().map(|(nth, browser)| self.work(browser, nth));
        let course = async {
            self.wait_for_sign_ins().await;
            faults.await;
            self.wait_for_sign_ins().await;
            self.stopped.store(true, Ordering::Relaxed);
        };
        tokio::join!(futures_util::future::join_all(people), course);
        let kept = self.kept.lock().clone();
        assert!(!kept.is_empty(), "no token was kept");
        for bearer in kept {
            assert_eq!(bearer.get(ACCOUNT).await.0, 200, "a token that was not revoked");
        }
    }

    /// Waits until every person may have begun and ended a sign-in.
    async fn wait_for_sign_ins(&self) {
        let (began, first) = (Instant::now(), self.completed.load(Ordering::Relaxed));
        while self.completed.load(Ordering::Relaxed) < first + 3 * PEOPLE {
            assert!(began.elapsed() < RECOVERY_LIMIT, "no sign-in succeeds");
            sleep(PAUSE).await;
        }
        eprintln!("signed in again after {:?}", began.elapsed());
    }

    async fn work(&self, browser: &Browser, nth: usize) {
        for turn in 0.. {
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            match self.sign_in(browser, &format!("device {nth}-{turn}")).await {
                Some(bearer) => self.use_and_revoke(bearer, turn).await,
                None => sleep(PAUSE).await,
            }
        }
    }

    /// `None` after a 503.
    async fn sign_in(&self, browser: &Browser, label: &str) -> Option<Bearer> {
        let codes = Device::request_codes(self.server, &json!({"client_id": "difyctl", "device_label": label})).await;
        if expect(&codes, &[OK, UNAVAILABLE]) == UNAVAILABLE {
            return None;
        }
        let codes = codes.json();
        let body = json!({"user_code": codes["user_code"]});
        let approval = Answer::to(browser.request(Method::POST, APPROVE).json(&body)).await;
        // The claim of an approval may be lost, and then the approval changes nothing.
        let approval = expect(&approval, &[OK, UNAVAILABLE, (409, "approve_in_progress")]);
        let poll =
            Device::poll_with(self.server, &json!({"client_id": "difyctl", "device_code": codes["device_code"]})).await;
        let poll_of_approved = [OK, UNAVAILABLE];
        let poll_of_others = [OK, UNAVAILABLE, (400, "authorization_pending"), (400, "access_denied")];
        let allowed = if approval == OK { &poll_of_approved[..] } else { &poll_of_others[..] };
        if expect(&poll, allowed) != OK {
            return None;
        }
        let token = poll.json();
        let text = |member: &str| token[member].as_str().unwrap().to_owned();
        Some(Bearer::with_token(self.server, &text("token"), &text("token_id")))
    }

    async fn use_and_revoke(&self, bearer: Bearer, turn: usize) {
        // Twice: the first use fills the cache.
        for _ in 0..2 {
            expect(&get(&bearer).await, &[OK]);
        }
        // The first was issued before the fault.
        if turn.is_multiple_of(5) {
            self.kept.lock().push(bearer);
            return;
        }
        let mut revocation = UNAVAILABLE;
        while revocation == UNAVAILABLE {
            let answer = Answer::to(bearer.request(Method::DELETE, SELF)).await;
            // A repetition may find that the one before has succeeded.
            revocation = expect(&answer, &[OK, UNAVAILABLE, (404, "not_found"), INVALID]);
            if revocation == UNAVAILABLE {
                sleep(PAUSE).await;
            }
        }
        for _ in 0..3 {
            expect(&get(&bearer).await, &[INVALID]);
        }
        self.completed.fetch_add(1, Ordering::Relaxed);
    }
}

async fn get(bearer: &Bearer) -> Answer {
    Answer::to(bearer.request(Method::GET, ACCOUNT)).await
}

/// Returns the outcome, which must be an allowed one.
fn expect(answer: &Answer, allowed: &[(u16, &'static str)]) -> (u16, &'static str) {
    let (status, code) = answer.outcome();
    let found = allowed.iter().find(|allowed| **allowed == (status, code.as_str()));
    *found.unwrap_or_else(|| panic!("{status} {code} instead of {allowed:?}: {}", answer.text))
}
