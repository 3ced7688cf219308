//! Connects the stores that a configuration names.

use std::sync::{Arc, atomic::AtomicI64};

use crate::{
    config::{Config, redis::Redis},
    domain::Result,
    ports::{clock::Clock, state_stores::StateStores, store_observer::StoreObserver},
    store::{
        sql::{SqlOptions, SqlStore},
        state::{in_process_stores, redis::options::RedisOptions, redis_stores},
    },
};

/// Connects the SQL store. The second value is `true` standalone and `false` beside Dify.
pub async fn connect_sql(config: &Config, observer: Option<Arc<dyn StoreObserver>>) -> Result<(Arc<SqlStore>, bool)> {
    let database = &config.database;
    let keys = Arc::new(config.secrets.key_ring());
    let options = SqlOptions {
        authorities: config.trusted_roots.pem(),
        pooling: database.pooling,
        observer,
        ..SqlOptions::new(database.url.clone(), database.pool_size, keys)
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
    observer: Option<Arc<dyn StoreObserver>>,
) -> Result<StateStores> {
    Ok(match &config.redis {
        Some(redis) => {
            let options = redis_options(config, redis).with_observer(observer);
            redis_stores(options.with_clock_offset(Arc::clone(redis_clock_offset)))?
        }
        None => in_process_stores(clock),
    })
}

fn redis_options(config: &Config, redis: &Redis) -> RedisOptions {
    let mut certificates = redis.certificates.clone();
    certificates.authorities = certificates.authorities.or_else(|| config.trusted_roots.pem());
    RedisOptions::new(redis.topology.clone())
        .with_certificates(certificates)
        .with_wait_replicas(redis.wait_replicas)
        .with_key_prefix(Some(redis.key_prefix.clone()).filter(|prefix| !prefix.is_empty()))
}
