//! A PostgreSQL with a synchronous standby, which takes over when the primary is lost.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::postgres_process::PostgresProcess;

/// A primary and its standby. A commit is confirmed when both have it, so a failover loses no confirmed write.
pub struct PostgresPair(Mutex<[Arc<PostgresProcess>; 2]>);

impl PostgresPair {
    /// Returns `None` with a message when the tests have no servers.
    pub async fn start() -> Option<Self> {
        // A standby connects again at once after a restart of its primary.
        let arguments = |_: &std::path::Path| vec!["-c".to_owned(), "wal_retrieve_retry_interval=100ms".to_owned()];
        let primary = Arc::new(PostgresProcess::start_with(&[], arguments).await?);
        let standby = add_standby(&primary).await;
        Some(Self(Mutex::new([primary, standby])))
    }

    pub fn primary(&self) -> Arc<PostgresProcess> {
        Arc::clone(&self.0.lock()[0])
    }

    /// The ports of the primary and the standby.
    pub fn ports(&self) -> [u16; 2] {
        self.0.lock().each_ref().map(|process| process.port)
    }

    /// Kills the primary and promotes the standby, which is the primary when this returns. It has no standby yet.
    pub async fn fail_over(&self) {
        let [primary, standby] = self.0.lock().clone();
        // What was committed without the standby would be lost.
        wait_until_synchronous(&primary).await;
        primary.kill();
        assert_eq!(standby.query("SELECT pg_promote()").await, "t");
        *self.0.lock() = [Arc::clone(&standby), standby];
    }

    /// Gives the primary a new standby, after a failover.
    pub async fn replace_standby(&self) {
        let primary = self.primary();
        let standby = add_standby(&primary).await;
        *self.0.lock() = [primary, standby];
    }
}

/// Copies a primary, and lets its commits wait for the copy from now on.
async fn add_standby(primary: &PostgresProcess) -> Arc<PostgresProcess> {
    let standby = Arc::new(PostgresProcess::standby_of(primary).await);
    // Not in the copy, which would wait for a standby of its own after its promotion.
    primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'").await;
    primary.query("SELECT pg_reload_conf()").await;
    wait_until_synchronous(primary).await;
    standby
}

/// Waits until commits wait for the standby, and the standby has everything that was committed before.
async fn wait_until_synchronous(primary: &PostgresProcess) {
    let synchronous = "FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'";
    wait_for_row(primary, &format!("SELECT 1 {synchronous}")).await;
    let position = primary.query("SELECT pg_current_wal_lsn()").await;
    wait_for_row(primary, &format!("SELECT 1 {synchronous} AND flush_lsn >= '{position}'")).await;
}

async fn wait_for_row(primary: &PostgresProcess, statement: &str) {
    for _ in 0..400 {
        if !primary.query(statement).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no row of {statement}: {}", primary.query("SELECT * FROM pg_stat_replication").await);
}
