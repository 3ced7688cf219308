//! Runs the schema's changes. The lists themselves are the crate `dify-openapi-migrations`.

use dify_openapi_migrations::{BesideDify, MigrationStatus, MigratorTrait, Standalone};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::SqlStore;
use crate::domain::Result;

/// Names the lock that lets one migrator run at a time on PostgreSQL: the first eight letters of `openapi_migrations`.
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"openapi_");
/// The same on MySQL, whose locks are the whole server's and have short names.
const MYSQL_LOCK: &str = "CONCAT('openapi_migrations ', MD5(DATABASE()))";
/// Seconds a migrator waits for another one there.
const MYSQL_PATIENCE: u32 = 600;

impl SqlStore {
    /// Applies what is pending. Beside Dify that concerns tables named `openapi_…` only.
    pub async fn migrate_up(&self, beside_dify: bool) -> Result<()> {
        // Looked up before anything is locked: a start with nothing to do costs two reads.
        if !self.has_pending_migrations(beside_dify).await? {
            return Ok(());
        }
        let done = if beside_dify { self.up::<BesideDify>().await } else { self.up::<Standalone>().await };
        Ok(done?)
    }

    /// Takes back the last `steps` changes, or all.
    pub async fn migrate_down(&self, beside_dify: bool, steps: Option<u32>) -> Result<()> {
        let done =
            if beside_dify { self.down::<BesideDify>(steps).await } else { self.down::<Standalone>(steps).await };
        Ok(done?)
    }

    /// Every change with whether it is applied, in order.
    pub async fn migration_status(&self, beside_dify: bool) -> Result<Vec<(String, bool)>> {
        Ok(if beside_dify { self.status::<BesideDify>().await? } else { self.status::<Standalone>().await? })
    }

    /// The changes that are not applied yet, in order.
    pub async fn pending_migrations(&self, beside_dify: bool) -> Result<Vec<String>> {
        let status = self.migration_status(beside_dify).await?;
        Ok(status.into_iter().filter(|(_, applied)| !applied).map(|(name, _)| name).collect())
    }

    /// Whether any change is not applied yet. Reads only: two small statements.
    pub async fn has_pending_migrations(&self, beside_dify: bool) -> Result<bool> {
        Ok(self.migration_status(beside_dify).await?.iter().any(|(_, applied)| !applied))
    }

    /// All or nothing where the database can change schemas in a transaction; MySQL cannot, and a change that failed
    /// half-way is finished by the next attempt.
    async fn up<M: MigratorTrait>(&self) -> Result<(), DbErr> {
        let transaction = self.begin().await?;
        self.lock_schema(&transaction).await?;
        let done = M::up(&transaction, None).await;
        self.unlock_schema(&transaction).await?;
        done?;
        transaction.commit().await
    }

    async fn down<M: MigratorTrait>(&self, steps: Option<u32>) -> Result<(), DbErr> {
        let transaction = self.begin().await?;
        self.lock_schema(&transaction).await?;
        let done = M::down(&transaction, steps).await;
        self.unlock_schema(&transaction).await?;
        done?;
        transaction.commit().await
    }

    /// Keeps a second migrator waiting. On SQLite the transaction has the write lock already.
    async fn lock_schema(&self, transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
        match self.backend {
            DbBackend::Postgres => {
                // A change may take longer than a request's statement, and so may the wait for another migrator.
                transaction.execute_unprepared("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
                transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
            }
            DbBackend::MySql => {
                let lock = format!("SELECT GET_LOCK({MYSQL_LOCK}, {MYSQL_PATIENCE}) = 1 AS locked");
                let row = transaction.query_one_raw(Statement::from_string(self.backend, lock)).await?;
                let locked: Option<bool> = row.map(|row| row.try_get_by("locked")).transpose()?.flatten();
                if locked != Some(true) {
                    return Err(DbErr::Migration(
                        "another migration is still running; wait for it to finish and try again".to_owned(),
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// MySQL's lock is the connection's, which goes back to the pool; the others' end with the transaction.
    async fn unlock_schema(&self, transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
        if self.backend == DbBackend::MySql {
            let unlock = format!("SELECT RELEASE_LOCK({MYSQL_LOCK})");
            transaction.query_one_raw(Statement::from_string(self.backend, unlock)).await?;
        }
        Ok(())
    }

    async fn status<M: MigratorTrait>(&self) -> Result<Vec<(String, bool)>, DbErr> {
        let all = M::get_migration_with_status_read_only(&self.db).await?;
        Ok(all.iter().map(|one| (one.name().to_owned(), one.status() == MigrationStatus::Applied)).collect())
    }
}
