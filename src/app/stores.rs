//! Connects the stores that a configuration names.

use std::sync::{Arc, atomic::AtomicI64};

use crate::{
    config::{Config, redis::Redis},
    domain::Result,
    ports::{clock::Clock, state_stores::StateStores},
    store::{
        sql::{SqlOptions, SqlStore},
        state::{in_process_stores, redis::options::RedisOptions, redis_stores},
    },
};

/// Connects the SQL store. The second value is `true` standalone and `false` beside Dify.
pub async fn connect_sql(config: &Config) -> Result<(Arc<SqlStore>, bool)> {
    let options = SqlOptions {
        url: config.database.url.clone(),
        max_connections: config.database.pool_size,
        keys: Arc::new(config.secrets.key_ring()),
    };
    let sql = SqlStore::connect(options).await?;
    let beside_dify = match config.deployment.beside_dify {
        Some(beside_dify) => beside_dify,
        None => sql.is_dify_database().await?,
    };
    Ok((Arc::new(sql), !beside_dify))
}

/// The state store: Redis where it is configured, this process's memory otherwise. Does not wait for Redis to answer.
pub fn connect_state(
    config: &Config,
    clock: &Arc<dyn Clock>,
    redis_clock_offset: &Arc<AtomicI64>,
) -> Result<StateStores> {
    Ok(match &config.redis {
        Some(redis) => redis_stores(redis_options(redis).with_clock_offset(Arc::clone(redis_clock_offset)))?,
        None => in_process_stores(clock),
    })
}

fn redis_options(redis: &Redis) -> RedisOptions {
    RedisOptions::new(redis.topology.clone())
        .with_key_prefix(Some(redis.key_prefix.clone()).filter(|prefix| !prefix.is_empty()))
}
