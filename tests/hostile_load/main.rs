//! Attacks the real server within the memory limit of the chart, with users beside the attacks: none of them ends the
//! server, refuses users or keeps its memory, and refusals are clear. `benches/run --hostile` prints the table.
//!
//! `HOSTILE_LOAD_ONLY` selects attacks by a part of their name, `HOSTILE_LOAD_SERVER` another program to attack.

#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` marks items that its files share")]
#![expect(
    clippy::unwrap_used,
    reason = "a failed step fails the test; clippy exempts test functions, not their helpers"
)]

mod account;
mod apps;
mod attacker;
mod attacks;
mod http2;
mod limit;
mod outcomes;
#[path = "../it/support/process.rs"]
mod process;
mod report;
mod server;
mod upstreams;
mod users;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time;

use crate::{
    account::Account,
    attacker::Attacker,
    attacks::Attack,
    limit::LIMIT_MIB,
    report::Row,
    server::LoadServer,
    upstreams::Upstreams,
    users::{UserReport, Users},
};

/// How long an attack lasts.
const DURATION: Duration = Duration::from_secs(4);
/// Within it the memory returns (issue 11).
const RETURN_TIMEOUT: Duration = Duration::from_mins(1);
/// Memory is back when it is within this factor of the idle memory (issue 11).
const IDLE_FACTOR: f64 = 1.2;
/// Longer than the allocator keeps free pages.
const REST: Duration = Duration::from_secs(3);

/// Waits until the memory is back. Returns the seconds.
async fn wait_for_memory(server: &LoadServer, limit_mib: f64) -> Option<f64> {
    let began = Instant::now();
    while server.rss() > limit_mib {
        if began.elapsed() > RETURN_TIMEOUT {
            return None;
        }
        time::sleep(Duration::from_millis(100)).await;
    }
    Some(began.elapsed().as_secs_f64())
}

async fn run(attack: &Attack, server: &LoadServer, attacker: Attacker, users: &Users, idle_mib: f64) -> Row {
    server.reset_peak();
    let active = users.begin();
    (attack.begin)(attacker.clone()).await;
    time::sleep(DURATION).await;
    attacker.stop().await;
    let users = active.finish();
    let peak_mib = server.peak_rss();
    let returned_after = wait_for_memory(server, idle_mib * IDLE_FACTOR).await;
    let after_mib = server.rss();
    Row { name: attack.name, peak_mib, after_mib, returned_after, users, outcomes: attacker.outcomes.summary() }
}

/// What the issue demands of an attack.
fn problems(attack: &Attack, row: &Row, attacker: &Attacker) -> Vec<String> {
    let mut problems = attacker.outcomes.unclear();
    problems.truncate(3);
    if row.peak_mib > f64::from(LIMIT_MIB) {
        problems.push(format!("{:.0} MiB are more than the limit", row.peak_mib));
    }
    if row.returned_after.is_none() {
        problems.push(format!("{:.0} MiB are kept", row.after_mib));
    }
    if !attack.is_distributed {
        problems.extend(row.users.failures.iter().take(3).cloned());
        if row.users.timeouts * 10 > row.users.requests() {
            problems.push(format!("{} of {} requests of users time out", row.users.timeouts, row.users.requests()));
        }
    }
    problems.iter().map(|problem| format!("{}: {problem}", attack.name)).collect()
}

/// Users without an attack, and the resident memory in MiB that the server keeps after them.
async fn measure_calm(server: &LoadServer, users: &Users) -> (UserReport, f64) {
    server.reset_peak();
    let active = users.begin();
    time::sleep(DURATION).await;
    let report = active.finish();
    assert_eq!(report.failures, [] as [&str; 0], "users are served without an attack");
    time::sleep(REST).await;
    (report, server.rss())
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_load_neither_ends_nor_starves_the_server() {
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let mut server = LoadServer::start(&users::emails(), Upstreams::start().await);
    let users = Users::sign_in(server.address).await;
    let account = Arc::new(Account::sign_in(server.address, server::ATTACKER, attacker::ADDRESS).await);
    let (calm, idle_mib) = measure_calm(&server, &users).await;
    report::print_head(server.limit.name(), idle_mib);
    let row = Row {
        name: "none",
        peak_mib: server.peak_rss(),
        after_mib: idle_mib,
        returned_after: Some(0.0),
        users: calm,
        outcomes: String::new(),
    };
    row.print();

    let mut found = Vec::new();
    let only = std::env::var("HOSTILE_LOAD_ONLY").unwrap_or_default();
    for (attack, number) in attacks::all().iter().zip(0..).filter(|(attack, _)| attack.name.contains(&only)) {
        let attacker = Attacker::new(server.address, Arc::clone(&account), number);
        let row = run(attack, &server, attacker.clone(), &users, idle_mib).await;
        row.print();
        found.extend(problems(attack, &row, &attacker));
        if !server.is_alive() {
            found.push(format!("{}: the server ended: {}", attack.name, server.log()));
            server.launch();
        }
    }
    assert_eq!(server.limit.kills(), 0, "the kernel killed the server: {found:#?}");
    assert!(found.is_empty(), "{found:#?}");
}
