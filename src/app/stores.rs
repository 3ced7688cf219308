//! Connects the stores that a configuration names.

use std::sync::{Arc, atomic::AtomicI64};

use tokio::sync::watch;

use crate::{
    config::{Config, redis::Redis},
    domain::Result,
    ports::{
        clock::Clock, outgoing_certificates::OutgoingCertificates, state_stores::StateStores,
        store_observer::StoreObserver,
    },
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
/// New connections to Redis use the last value of `certificates`, or those of the configuration.
pub fn connect_state(
    config: &Config,
    clock: &Arc<dyn Clock>,
    redis_clock_offset: &Arc<AtomicI64>,
    observer: Option<Arc<dyn StoreObserver>>,
    certificates: Option<watch::Receiver<Arc<OutgoingCertificates>>>,
) -> Result<StateStores> {
    Ok(match &config.redis {
        Some(redis) => {
            let certificates = certificates.unwrap_or_else(|| watch::channel(Arc::new(redis.certificates.clone())).1);
            let options = redis_options(config, redis).with_certificates(certificates).with_observer(observer);
            redis_stores(options.with_clock_offset(Arc::clone(redis_clock_offset)))?
        }
        None => in_process_stores(clock),
    })
}

fn redis_options(config: &Config, redis: &Redis) -> RedisOptions {
    RedisOptions::new(redis.topology.clone())
        .with_authorities(config.trusted_roots.pem())
        .with_wait_replicas(redis.wait_replicas)
        .with_key_prefix(Some(redis.key_prefix.clone()).filter(|prefix| !prefix.is_empty()))
}
