//! A history checker: concurrent actors work on two replicas while their stores are killed, paused, failed over and
//! partitioned, and the network loses packets. Every call is recorded, and the record is judged against the contract
//! (sections 3 and 6).
//!
//! `TEST_HISTORY_ROUNDS` sets the number of runs; without it there is one, whose choices are always the same.
//! `TEST_HISTORY_SEED` repeats the choices of a run.

mod actors;
mod bad_histories;
mod deployment;
mod failovers;
mod faults;
mod grants;
mod linear;
mod packet_loss;
mod partitions;
mod record;
mod replica_host;
mod requests;
mod sessions;
mod tokens;

use std::time::Duration;

use self::{deployment::Deployment, record::History};
use crate::support::namespace::Namespace;

/// How long the actors of one round work.
const ROUND: Duration = Duration::from_secs(16);

/// Everything in a history that the contract does not allow.
fn judge(history: &History) -> Vec<String> {
    [grants::judge(history), tokens::judge(history), sessions::judge(history)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn history_of_two_replicas_with_failing_stores_obeys_the_contract() {
    if Namespace::Network.repeats("history::history_of_two_replicas_with_failing_stores_obeys_the_contract") {
        return;
    }
    let variable = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let rounds = variable("TEST_HISTORY_ROUNDS");
    let first_seed = variable("TEST_HISTORY_SEED").unwrap_or_else(|| rounds.map_or(1, |_| rand::random()));
    for seed in (0..rounds.unwrap_or(1)).map(|round| first_seed.wrapping_add(round)) {
        eprintln!("TEST_HISTORY_SEED={seed}");
        let Some(deployment) = Deployment::start_with(&[("REDIS_WAIT_REPLICAS", "1")]).await else { return };
        let history = deployment.run(seed, ROUND).await;
        assert_is_substantial(&history);
        let faults = judge(&history);
        assert!(faults.is_empty(), "TEST_HISTORY_SEED={seed}: {} faults: {}", faults.len(), faults.join("\n"));
    }
}

/// A history in which little happened would pass for nothing. The bounds are low, because the machine may be busy.
fn assert_is_substantial(history: &History) {
    use self::record::{GrantReply, SessionReply, TokenReply};
    let grants = |reply| history.grants.iter().filter(|event| event.reply == reply).count();
    let tokens = |reply| history.token_events.iter().filter(|event| event.reply == reply).count();
    let renewals = history.sessions.iter().filter(|event| matches!(event.reply, SessionReply::Renewed(_))).count();
    let counts = [
        ("grants", history.lines.len(), 10),
        ("decisions", grants(GrantReply::Decided), 5),
        ("unknown outcomes", grants(GrantReply::Unknown), 3),
        ("tokens", history.tokens.len(), 5),
        ("uses", tokens(TokenReply::Alive), 5),
        ("rejections", tokens(TokenReply::Invalid), 5),
        ("revocations", tokens(TokenReply::Revoked), 2),
        ("refreshes", renewals, 3),
    ];
    eprintln!("{counts:?}");
    for (what, count, least) in counts {
        assert!(count >= least, "{what}: {counts:?}");
    }
}
