//! The migrations of one database: those of this version, and those that a newer version has applied.

use std::collections::{HashMap, HashSet};

use sea_orm_migration::{MigratorTraitSelf, prelude::*, sea_orm::ConnectionTrait, seaql_migrations::Column};

use crate::{
    editor::{Executed, SchemaChange},
    newer::NewerMigration,
    own, shared,
};

/// The table of applied migrations.
pub(crate) const MIGRATION_TABLE: &str = "openapi_migrations";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeState {
    Applied,
    Pending,
    /// Applied by a newer version, and unknown to this one.
    Newer,
}

/// Which migrations there are for a database, and which of them it has.
#[derive(Clone, Debug)]
pub struct Schema {
    beside_dify: bool,
    /// The names of the applied migrations, the unknown ones included.
    applied: HashSet<String>,
}

impl Schema {
    /// Reads the applied migrations. Writes nothing; a missing table means that none is applied.
    pub async fn read(database: &SchemaManager<'_>, beside_dify: bool) -> Result<Self, DbErr> {
        let mut applied = HashSet::new();
        if database.has_table(MIGRATION_TABLE).await? {
            let names = Query::select().column(Column::Version).from(MIGRATION_TABLE).take();
            for row in database.get_connection().query_all(&names).await? {
                applied.insert(row.try_get_by_index(0)?);
            }
        }
        Ok(Self { beside_dify, applied })
    }

    /// Every migration in the order of its application.
    pub fn changes(&self) -> Vec<(String, ChangeState)> {
        let every = every_migration();
        let known: HashSet<_> = every.iter().map(|one| one.name()).collect();
        let state = |name: &str| match (self.applied.contains(name), known.contains(name)) {
            (false, _) => ChangeState::Pending,
            (true, true) => ChangeState::Applied,
            (true, false) => ChangeState::Newer,
        };
        self.in_order().iter().map(|one| (one.name().to_owned(), state(one.name()))).collect()
    }

    /// The changes of a state, in order.
    pub(crate) fn changes_in(&self, wanted: ChangeState) -> Vec<Box<dyn SchemaChange>> {
        let states: HashMap<_, _> = self.changes().into_iter().collect();
        let mut changes = self.in_order();
        changes.retain(|one| states.get(one.name()) == Some(&wanted));
        changes
    }

    pub fn has_pending(&self) -> bool {
        self.changes().iter().any(|(_, state)| *state == ChangeState::Pending)
    }

    /// Whether a newer version has applied migrations that this one does not have.
    pub fn is_newer(&self) -> bool {
        self.changes().iter().any(|(_, state)| *state == ChangeState::Newer)
    }

    fn in_order(&self) -> Vec<Box<dyn SchemaChange>> {
        // Those of Dify's tables are listed beside Dify, too, when this service created the tables before.
        let mut all = shared();
        all.retain(|one| !self.beside_dify || self.applied.contains(one.name()));
        all.extend(own());
        let known: HashSet<_> = every_migration().iter().map(|one| one.name().to_owned()).collect();
        for name in self.applied.difference(&known) {
            all.push(Box::new(NewerMigration::new(name)));
        }
        // By date, so that the newest migration is reverted first.
        all.sort_by(|one, other| one.name().cmp(other.name()));
        all
    }
}

/// Those of both modes.
fn every_migration() -> Vec<Box<dyn SchemaChange>> {
    shared().into_iter().chain(own()).collect()
}

#[async_trait::async_trait]
impl MigratorTraitSelf for Schema {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        self.in_order().into_iter().map(|change| Box::new(Executed(change)) as Box<dyn MigrationTrait>).collect()
    }

    fn migration_table_name(&self) -> DynIden {
        MIGRATION_TABLE.into_iden()
    }
}
