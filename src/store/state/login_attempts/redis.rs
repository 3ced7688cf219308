//! Password attempts in Redis: a hash per key, with the wrong attempts in one field and each open attempt in a field of
//! its own.

use std::sync::LazyLock;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    domain::{
        Result,
        limit::{LimitDecision, Quota},
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
    fn login_keys(&self, keys: &[String]) -> Vec<String> {
        keys.iter().map(|key| self.keys().login(key)).collect()
    }
}

#[async_trait]
impl LoginAttemptStore for RedisState {
    async fn begin(&self, keys: &[String], attempt: Uuid, quota: Quota) -> Result<LimitDecision> {
        let wait_us = self
            .eval(&BEGIN, &self.login_keys(keys), |command| {
                command.arg(attempt.as_bytes()).arg(quota.count).arg(micros(OPEN_ATTEMPT_LIFETIME));
            })
            .await?;
        Ok(verdict(wait_us))
    }

    async fn end(&self, keys: &[String], attempt: Uuid, outcome: AttemptOutcome, quota: Quota) -> Result<()> {
        let outcome = match outcome {
            AttemptOutcome::Wrong => "wrong",
            AttemptOutcome::Correct => "correct",
            AttemptOutcome::Unchecked => "unchecked",
        };
        self.eval::<()>(&END, &self.login_keys(keys), |command| {
            command.arg(attempt.as_bytes()).arg(outcome).arg(quota.count).arg(micros(quota.period));
        })
        .await
    }
}
