//! Runs the migrations of the crate `dify-openapi-migrations`.

use dify_openapi_migrations::{
    ChangeState, CompatibleVersion, MigratorTraitSelf, OLDEST_COMPATIBLE, Schema, SchemaManager,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use super::sql_store::SqlStore;
use crate::domain::error::{Error, Result};

/// The version of this build.
const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The advisory lock on PostgreSQL that lets one migrator run at a time: the first eight letters of
/// `openapi_migrations`.
const POSTGRES_LOCK: i64 = i64::from_be_bytes(*b"openapi_");
/// The same on MySQL, whose lock names are shared by all databases of the server and limited to 64 characters.
const MYSQL_LOCK: &str = "CONCAT('openapi_migrations ', MD5(DATABASE()))";
/// Seconds that a migrator waits for another one on MySQL.
const MYSQL_LOCK_TIMEOUT: u32 = 600;

/// A schema that this version does not work on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("the database schema is behind this version; run `dify-openapi migrate up` first")]
    Behind,
    #[error(
        "the database was migrated by version {migrated_by}, whose schema version {own} does not work on; start an image \
         of version {oldest} or later"
    )]
    TooNew { migrated_by: String, oldest: String, own: &'static str },
    #[error("version {migrated_by} has changed the schema after this one; use its image to revert that first")]
    NewerChanges { migrated_by: String },
    #[error("no applied change is named {0}; `dify-openapi migrate status` lists them")]
    UnknownChange(String),
}

impl From<SchemaError> for Error {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::UnknownChange(_) => Self::not_found("There is no such change.").with_source(error),
            _ => Self::internal(error),
        }
    }
}

impl SqlStore {
    /// Applies pending migrations and returns their names. Beside Dify only those of tables named `openapi_…`.
    pub async fn migrate_up(&self, beside_dify: bool) -> Result<Vec<String>> {
        // Checked before anything is locked: without pending migrations a start costs two reads.
        if !self.has_pending_migrations(beside_dify).await? {
            return Ok(Vec::new());
        }
        let transaction = self.begin().await?;
        self.lock_schema(&transaction).await?;
        let done = up(&transaction, beside_dify).await;
        self.unlock_schema(&transaction).await?;
        let applied = done?;
        // MySQL does not support schema changes in a transaction; there the next attempt completes a migration that
        // failed halfway.
        transaction.commit().await?;
        Ok(applied)
    }

    /// Reverts migrations, the last one first, and returns their names.
    pub(crate) async fn migrate_down(&self, beside_dify: bool, range: RevertRange<'_>) -> Result<Vec<String>> {
        let transaction = self.begin().await?;
        self.lock_schema(&transaction).await?;
        let done = down(&transaction, beside_dify, range).await;
        self.unlock_schema(&transaction).await?;
        let reverted = done?;
        transaction.commit().await?;
        Ok(reverted)
    }

    /// The names of the migrations that `migrate_down` would revert, the last one first.
    pub(crate) async fn revertible_migrations(&self, beside_dify: bool, range: RevertRange<'_>) -> Result<Vec<String>> {
        revertible(&self.read_schema(beside_dify).await?, range)
    }

    /// Every migration, in order, and its state. Two statements, neither of which writes.
    pub(crate) async fn schema_changes(&self, beside_dify: bool) -> Result<Vec<(String, ChangeState)>> {
        Ok(self.read_schema(beside_dify).await?.changes())
    }

    /// The names of the migrations that are not applied, in order.
    pub(crate) async fn pending_migrations(&self, beside_dify: bool) -> Result<Vec<String>> {
        Ok(in_state(self.schema_changes(beside_dify).await?, ChangeState::Pending))
    }

    pub(crate) async fn has_pending_migrations(&self, beside_dify: bool) -> Result<bool> {
        Ok(self.read_schema(beside_dify).await?.has_pending())
    }

    /// Fails when this version does not work on the schema: a migration is missing, or a newer version has applied one
    /// that ends the compatibility.
    pub(crate) async fn check_schema(&self, beside_dify: bool) -> Result<()> {
        let schema = self.read_schema(beside_dify).await?;
        if schema.has_pending() {
            return Err(SchemaError::Behind.into());
        }
        if !schema.is_newer() {
            return Ok(());
        }
        match CompatibleVersion::find(&self.schema_manager().await?).await? {
            Some(compatible) if !works_with(OWN_VERSION, &compatible.oldest) => Err(SchemaError::TooNew {
                migrated_by: compatible.migrated_by,
                oldest: compatible.oldest,
                own: OWN_VERSION,
            }
            .into()),
            _ => Ok(()),
        }
    }

    async fn read_schema(&self, beside_dify: bool) -> Result<Schema> {
        Ok(Schema::read(&self.schema_manager().await?, beside_dify).await?)
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
}

/// Which migrations are reverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevertRange<'a> {
    Last,
    /// Those that were applied after the named one.
    After(&'a str),
    All,
}

/// Whether `version` is `oldest` or later. A version that cannot be read is not.
fn works_with(version: &str, oldest: &str) -> bool {
    match (semver::Version::parse(version), semver::Version::parse(oldest)) {
        (Ok(version), Ok(oldest)) => version >= oldest,
        _ => false,
    }
}

fn in_state(changes: Vec<(String, ChangeState)>, wanted: ChangeState) -> Vec<String> {
    changes.into_iter().filter(|(_, state)| *state == wanted).map(|(name, _)| name).collect()
}

/// What this version records after it has migrated a database.
pub(super) fn own_version() -> CompatibleVersion {
    CompatibleVersion { migrated_by: OWN_VERSION.to_owned(), oldest: OLDEST_COMPATIBLE.to_owned() }
}

async fn up(transaction: &DatabaseTransaction, beside_dify: bool) -> Result<Vec<String>> {
    let schema = Schema::read(&SchemaManager::new(transaction), beside_dify).await?;
    schema.up(transaction, None).await?;
    if !schema.is_newer() {
        own_version().replace(&SchemaManager::new(transaction)).await?;
    }
    Ok(in_state(schema.changes(), ChangeState::Pending))
}

async fn down(transaction: &DatabaseTransaction, beside_dify: bool, range: RevertRange<'_>) -> Result<Vec<String>> {
    let schema = Schema::read(&SchemaManager::new(transaction), beside_dify).await?;
    refuse_newer(&schema, &SchemaManager::new(transaction)).await?;
    let reverted = revertible(&schema, range)?;
    schema.down(transaction, Some(u32::try_from(reverted.len()).unwrap_or(u32::MAX))).await?;
    own_version().replace(&SchemaManager::new(transaction)).await?;
    Ok(reverted)
}

/// Fails when a newer version has applied migrations: only that version can revert them.
pub(super) async fn refuse_newer(schema: &Schema, database: &SchemaManager<'_>) -> Result<()> {
    if !schema.is_newer() {
        return Ok(());
    }
    let compatible = CompatibleVersion::find(database).await?;
    let migrated_by = compatible.map_or_else(|| "a newer one".to_owned(), |compatible| compatible.migrated_by);
    Err(SchemaError::NewerChanges { migrated_by }.into())
}

/// The names of the applied migrations in the range, the last one first.
pub(super) fn revertible(schema: &Schema, range: RevertRange<'_>) -> Result<Vec<String>> {
    let mut applied = in_state(schema.changes(), ChangeState::Applied);
    let kept = match range {
        RevertRange::All => 0,
        RevertRange::Last => applied.len().saturating_sub(1),
        RevertRange::After(name) => match applied.iter().position(|applied| applied == name) {
            Some(at) => at + 1,
            None => return Err(SchemaError::UnknownChange(name.to_owned()).into()),
        },
    };
    let mut names = applied.split_off(kept);
    names.reverse();
    Ok(names)
}
