//! Password attempts in Redis: a hash per key, with the failures in one field and each open attempt in a field of its
//! own.

use std::sync::LazyLock;

use async_trait::async_trait;
use redis::Cmd;
use uuid::Uuid;

use crate::{
    domain::{
        Result,
        limit::LimitDecision,
        login_limit::{FAILURE_LIFETIME, LoginLimit, LoginRule, delays},
    },
    ports::login_attempt_store::{AttemptOutcome, LoginAttemptStore, OPEN_ATTEMPT_LIFETIME},
    store::state::{
        micros::micros,
        redis::{
            RedisState,
            script::{CLOCK, Script},
            verdict,
        },
    },
};

/// Put before both scripts. Needs [`CLOCK`].
const READ: &str = include_str!("read.lua");

static BEGIN: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, READ, include_str!("begin.lua")]));
static END: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, READ, include_str!("end.lua")]));

impl RedisState {
    fn login_keys(&self, limits: &[LoginLimit]) -> Vec<String> {
        limits.iter().map(|limit| self.keys().login(&limit.key)).collect()
    }
}

/// The arguments of each limit that `read.lua` reads.
fn add_rules(command: &mut Cmd, limits: &[LoginLimit]) {
    for limit in limits {
        match limit.rule {
            LoginRule::Delays { free, max_delay } => {
                command.arg("delays").arg(free).arg(delays(max_delay).map(micros).as_slice());
            }
            LoginRule::Failures(quota) => {
                command.arg("failures").arg(quota.count).arg(quota.emission_us()).arg([0_u64; 3].as_slice());
            }
        }
    }
}

#[async_trait]
impl LoginAttemptStore for RedisState {
    async fn begin(&self, attempt: Uuid, limits: &[LoginLimit]) -> Result<LimitDecision> {
        let wait_us = self
            .eval(&BEGIN, &self.login_keys(limits), |command| {
                command.arg(attempt.as_bytes()).arg(micros(OPEN_ATTEMPT_LIFETIME));
                add_rules(command, limits);
            })
            .await?;
        Ok(verdict(wait_us))
    }

    async fn end(&self, attempt: Uuid, outcome: AttemptOutcome, limits: &[LoginLimit]) -> Result<()> {
        let outcome = match outcome {
            AttemptOutcome::Wrong => "wrong",
            AttemptOutcome::Correct => "correct",
            AttemptOutcome::Unchecked => "unchecked",
        };
        self.eval::<()>(&END, &self.login_keys(limits), |command| {
            command.arg(attempt.as_bytes()).arg(outcome).arg(micros(FAILURE_LIFETIME));
            add_rules(command, limits);
        })
        .await
    }

    async fn forget(&self, keys: &[String]) -> Result<()> {
        for key in keys {
            self.run::<()>(redis::cmd("DEL").arg(self.keys().login(key))).await?;
        }
        Ok(())
    }
}
