//! Consumed nonces in Redis: a key for each, written as Dify writes it.

use async_trait::async_trait;
use redis::Value;

use crate::{
    domain::Result,
    ports::nonce_store::{NonceKind, NonceStore},
    store::state::redis::RedisState,
};

#[async_trait]
impl NonceStore for RedisState {
    async fn consume(&self, kind: NonceKind, nonce: &str) -> Result<bool> {
        let key = self.keys().nonce(kind, nonce);
        let mut set = redis::cmd("SET");
        set.arg(&key).arg("1").arg("NX").arg("EX").arg(kind.lifetime().as_secs());
        Ok(self.run_confirmed::<Value>(&key, &set).await? != Value::Nil)
    }
}
