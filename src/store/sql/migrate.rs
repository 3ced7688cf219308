//! Runs the migrations of the crate `dify-openapi-migrations`.

use dify_openapi_migrations::{BesideDify, MigrationStatus, MigratorTrait, Standalone};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::sql_store::SqlStore;
use crate::domain::error::Result;

/// The advisory lock on PostgreSQL that lets one migrator run at a time: the first eight letters of
/// `openapi_migrations`.
const POSTGRES_LOCK: i64 = i64::from_be_bytes(*b"openapi_");
/// The same on MySQL, whose lock names are shared by all databases of the server and limited to 64 characters.
const MYSQL_LOCK: &str = "CONCAT('openapi_migrations ', MD5(DATABASE()))";
/// Seconds that a migrator waits for another one on MySQL.
const MYSQL_LOCK_TIMEOUT: u32 = 600;

impl SqlStore {
    /// Applies pending migrations. Beside Dify only those of tables named `openapi_…`.
    pub async fn migrate_up(&self, beside_dify: bool) -> Result<()> {
        // Checked before anything is locked: without pending migrations a start costs two reads.
        if !self.has_pending_migrations(beside_dify).await? {
            return Ok(());
        }
        let done = if beside_dify { self.up::<BesideDify>().await } else { self.up::<Standalone>().await };
        Ok(done?)
    }

    /// Reverts the last `steps` migrations, or all.
    pub async fn migrate_down(&self, beside_dify: bool, steps: Option<u32>) -> Result<()> {
        let done =
            if beside_dify { self.down::<BesideDify>(steps).await } else { self.down::<Standalone>(steps).await };
        Ok(done?)
    }

    /// Every migration, in order, and whether it is applied.
    pub async fn migration_status(&self, beside_dify: bool) -> Result<Vec<(String, bool)>> {
        Ok(if beside_dify { self.status::<BesideDify>().await? } else { self.status::<Standalone>().await? })
    }

    /// The migrations that are not applied, in order.
    pub async fn pending_migrations(&self, beside_dify: bool) -> Result<Vec<String>> {
        let status = self.migration_status(beside_dify).await?;
        Ok(status.into_iter().filter(|(_, applied)| !applied).map(|(name, _)| name).collect())
    }

    /// Whether any migration is not applied. Two statements, neither of which writes.
    pub async fn has_pending_migrations(&self, beside_dify: bool) -> Result<bool> {
        Ok(self.migration_status(beside_dify).await?.iter().any(|(_, applied)| !applied))
    }

    /// Atomic where the database supports schema changes in a transaction. MySQL does not; there the next attempt
    /// completes a migration that failed halfway.
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

    /// Makes a second migrator wait. On SQLite the transaction holds the write lock already.
    async fn lock_schema(&self, transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
        match self.backend {
            DbBackend::Postgres => {
                // A migration, and the wait for another migrator, may take longer than a request's statement.
                transaction.execute_unprepared("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
                transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({POSTGRES_LOCK})")).await?;
            }
            DbBackend::MySql => {
                let lock = format!("SELECT GET_LOCK({MYSQL_LOCK}, {MYSQL_LOCK_TIMEOUT}) = 1 AS locked");
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

    /// MySQL's lock belongs to the connection, which returns to the pool; the others end with the transaction.
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
