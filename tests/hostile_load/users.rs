//! People who use the service while it is attacked, and how long they wait.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use parking_lot::Mutex;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::{sync::watch, time};

use crate::{account::Account, apps};

const USERS: u8 = 8;
/// The pause of a user between two requests.
const PAUSE: Duration = Duration::from_millis(60);
/// Each of so many requests of a user is a sign-in with the password.
const LOGIN_EVERY: usize = 16;

/// The message of a server whose database or state store does not answer in time. Refusals for want of memory have
/// others.
const TIMEOUT_MESSAGE: &str = "temporarily unavailable";

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// `GET /account` and `GET /workspaces`.
    Read,
    /// `device/code` and its first poll.
    Code,
    /// The sign-in with a password.
    Login,
    /// A blocking run of a template.
    Run,
}

/// Waits by action, and what failed.
#[derive(Clone, Debug, Default)]
pub struct UserReport {
    pub waits: BTreeMap<Action, Vec<Duration>>,
    pub failures: Vec<String>,
    /// Requests for which the server reached a timeout of its own, as a debug build does on a busy machine.
    pub timeouts: usize,
}

impl UserReport {
    /// The wait that 99 of 100 requests do not exceed, in milliseconds.
    pub fn p99(&self, action: Action) -> f64 {
        let mut waits = self.waits.get(&action).cloned().unwrap_or_default();
        waits.sort_unstable();
        let index = (waits.len() * 99).div_ceil(100).saturating_sub(1);
        waits.get(index).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e3)
    }

    pub fn requests(&self) -> usize {
        self.waits.values().map(Vec::len).sum()
    }
}

pub struct Users(Vec<Account>);

/// Users at work, on a thread of their own, so that the attack does not delay their clients.
pub struct ActiveUsers {
    stop: watch::Sender<bool>,
    thread: JoinHandle<UserReport>,
}

pub fn emails() -> Vec<String> {
    (0..USERS).map(|number| format!("user{number}@example.com")).collect()
}

impl Users {
    pub async fn sign_in(server: SocketAddr) -> Self {
        let mut users = Vec::new();
        for (email, number) in emails().iter().zip(10..) {
            users.push(Account::sign_in(server, email, IpAddr::V4(Ipv4Addr::new(127, 0, 0, number))).await);
        }
        Self(users)
    }

    pub fn begin(&self) -> ActiveUsers {
        let (stop, users) = (watch::Sender::new(false), self.0.clone());
        let receiver = stop.subscribe();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(work(users, receiver))
        });
        ActiveUsers { stop, thread }
    }
}

impl ActiveUsers {
    /// Lets the requests end that have begun.
    pub fn finish(self) -> UserReport {
        self.stop.send_replace(true);
        self.thread.join().unwrap()
    }
}

async fn work(users: Vec<Account>, stop: watch::Receiver<bool>) -> UserReport {
    let report = Mutex::default();
    let users = users.iter().enumerate().map(|(number, user)| {
        // Connections belong to the runtime that opened them.
        let user = user.with_new_connections();
        let (report, stop) = (&report, &stop);
        async move {
            let mut turn = number;
            while !*stop.borrow() {
                act(&user, turn, report).await;
                turn += 1;
                time::sleep(PAUSE).await;
            }
        }
    });
    join_all(users).await;
    report.into_inner()
}

async fn act(user: &Account, turn: usize, report: &Mutex<UserReport>) {
    match turn {
        turn if turn % LOGIN_EVERY == 0 => {
            measure(Action::Login, user.login(), 200, report).await;
        }
        turn if turn % 5 == 1 => {
            if let Some(codes) = measure(Action::Code, user.request_codes(), 200, report).await {
                // The sign-in is pending.
                measure(Action::Code, user.poll(&codes), 400, report).await;
            }
        }
        turn if turn % 5 == 2 => {
            let body = json!({"inputs": {"name": "Ann"}, "response_mode": "blocking"});
            measure(Action::Run, user.run(apps::GREETING, &body), 200, report).await;
        }
        turn if turn % 2 == 0 => _ = measure(Action::Read, user.get("/openapi/v1/account"), 200, report).await,
        _ => _ = measure(Action::Read, user.get("/openapi/v1/workspaces"), 200, report).await,
    }
}

async fn measure(action: Action, request: RequestBuilder, expected: u16, report: &Mutex<UserReport>) -> Option<Value> {
    let began = Instant::now();
    let answer = async {
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>((status, response.text().await?))
    };
    let answer = answer.await;
    let wait = began.elapsed();
    let mut report = report.lock();
    report.waits.entry(action).or_default().push(wait);
    match answer {
        Ok((status, text)) if status == expected => return serde_json::from_str(&text).ok(),
        Ok((503, text)) if text.contains(TIMEOUT_MESSAGE) => report.timeouts += 1,
        Ok((status, text)) => report.failures.push(format!("{action:?}: {status} {text:.200}")),
        Err(error) => report.failures.push(format!("{action:?}: {error:?}")),
    }
    None
}
