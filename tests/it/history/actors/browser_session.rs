//! The browser session of one actor: profile, refresh and sign-out with recorded cookies.

use rand::{Rng as _, rngs::StdRng};
use reqwest::Method;
use serde_json::json;

use crate::{
    history::{
        deployment::Deployment,
        record::{SessionCall, SessionEvent, SessionReply, Span},
        requests::{LOGOUT, PROFILE, REFRESH},
    },
    support::{
        Answer, Browser,
        server::{MEMBER, OWNER, PASSWORD},
    },
};

/// Calls of one session, after which the actor signs in again, so that its history stays small.
const MAX_CALLS: usize = 40;

pub struct BrowserSession<'a> {
    deployment: &'a Deployment,
    account: usize,
    /// The number of the session in the history.
    session: usize,
    /// The cookies of the newest generation.
    pub browser: Browser,
    generation: usize,
    generations: usize,
    /// The cookies of an earlier generation.
    old: Option<(Browser, usize)>,
    calls: usize,
    has_ended: bool,
}

impl<'a> BrowserSession<'a> {
    pub fn new(deployment: &'a Deployment, nth: usize, account: usize, browser: Browser) -> Self {
        let session = Self {
            deployment,
            account,
            session: nth * 1_000,
            browser,
            generation: 0,
            generations: 0,
            old: None,
            calls: 0,
            has_ended: false,
        };
        session.record(0, SessionCall::SignIn, SessionReply::Renewed(0), deployment.recorder.start());
        session
    }

    pub async fn make_call(&mut self, random: &mut StdRng, replica: usize) {
        if self.has_ended || self.calls > MAX_CALLS {
            return self.sign_in(replica).await;
        }
        self.calls += 1;
        match random.random_range(0..20) {
            0 => self.call(SessionCall::Logout, replica).await,
            1 => self.refresh_again(replica).await,
            2..5 if self.deployment.is_up(1) => self.refresh_twice(replica).await,
            2..13 => self.refresh(replica).await,
            _ => self.call(SessionCall::Profile, replica).await,
        }
    }

    async fn sign_in(&mut self, replica: usize) {
        let mut browser = Browser::anonymous(&self.deployment.replicas[replica].server);
        let span = self.deployment.recorder.start();
        let sign_in = browser.login_request([OWNER, MEMBER][self.account], PASSWORD);
        let Some(answer) = self.deployment.send(sign_in).await else { return };
        if answer.status != 200 {
            assert_eq!(answer.status, 429, "{}", answer.text);
            return;
        }
        browser.take_cookies(&answer.headers);
        self.session += 1;
        (self.browser, self.generation, self.generations, self.old, self.calls) = (browser, 0, 0, None, 0);
        self.has_ended = false;
        self.record(0, SessionCall::SignIn, SessionReply::Renewed(0), span);
    }

    async fn call(&mut self, call: SessionCall, replica: usize) {
        let browser = self.browser.at(&self.deployment.replicas[replica].server);
        let request = match call {
            SessionCall::Logout => browser.request(Method::POST, LOGOUT).json(&json!({})),
            _ => browser.request(Method::GET, PROFILE),
        };
        let span = self.deployment.recorder.start();
        let reply = match self.deployment.send(request).await {
            None => SessionReply::Unknown,
            Some(answer) if answer.status == 200 => SessionReply::Alive,
            // A CSRF token expires with its cookies.
            Some(answer) if answer.status == 401 || answer.code() == "csrf_mismatch" => SessionReply::Ended,
            Some(answer) => panic!("{call:?}: {} {}", answer.status, answer.text),
        };
        self.has_ended |= call == SessionCall::Logout;
        self.record(self.generation, call, reply, span);
    }

    async fn refresh(&mut self, replica: usize) {
        let (browser, generation, successor) = (self.browser.clone(), self.generation, self.next_generation());
        let (reply, answer) = self.send_refresh(&browser, generation, successor, replica).await;
        self.take(reply, answer.as_ref());
    }

    /// Two tabs refresh at the same time, at two replicas.
    async fn refresh_twice(&mut self, replica: usize) {
        let (browser, generation) = (self.browser.clone(), self.generation);
        let (first, second) = (self.next_generation(), self.next_generation());
        let ((reply, answer), (other_reply, other_answer)) = tokio::join!(
            self.send_refresh(&browser, generation, first, replica),
            self.send_refresh(&browser, generation, second, 1 - replica),
        );
        self.take(reply, answer.as_ref());
        self.take(other_reply, other_answer.as_ref());
    }

    /// A thief, or a tab that was away, uses an earlier refresh token.
    async fn refresh_again(&mut self, replica: usize) {
        let Some((browser, generation)) = self.old.clone() else { return };
        let successor = self.next_generation();
        let (reply, answer) = self.send_refresh(&browser, generation, successor, replica).await;
        self.take(reply, answer.as_ref());
    }

    async fn send_refresh(
        &self,
        browser: &Browser,
        generation: usize,
        successor: usize,
        replica: usize,
    ) -> (SessionReply, Option<Answer>) {
        let browser = browser.at(&self.deployment.replicas[replica].server);
        let span = self.deployment.recorder.start();
        let answer = self.deployment.send(browser.bare(Method::POST, REFRESH).json(&json!({}))).await;
        let reply = match &answer {
            None => SessionReply::Unknown,
            Some(answer) if answer.status == 200 && answer.cookies().is_empty() => SessionReply::Superseded,
            Some(answer) if answer.status == 200 => SessionReply::Renewed(successor),
            Some(answer) if answer.status == 401 => SessionReply::Ended,
            Some(answer) => panic!("refresh: {} {}", answer.status, answer.text),
        };
        self.record(generation, SessionCall::Refresh, reply, span);
        (reply, answer)
    }

    fn take(&mut self, reply: SessionReply, answer: Option<&Answer>) {
        match (reply, answer) {
            (SessionReply::Renewed(generation), Some(answer)) => {
                self.old = Some((self.browser.clone(), self.generation));
                self.browser.take_cookies(&answer.headers);
                self.generation = generation;
            }
            (SessionReply::Ended, _) => self.has_ended = true,
            _ => {}
        }
    }

    fn next_generation(&mut self) -> usize {
        self.generations += 1;
        self.generations
    }

    fn record(&self, generation: usize, call: SessionCall, reply: SessionReply, span: Span) {
        let span = self.deployment.recorder.end(span);
        let event = SessionEvent { session: self.session, generation, call, reply, span };
        self.deployment.recorder.change(|history| history.sessions.push(event));
    }
}
