//! The SQL of migrations, for an administrator who executes it by hand.

use sea_orm_migration::{prelude::*, sea_orm, seaql_migrations};

use crate::{
    compatible_version::{CompatibleVersion, SCHEMA_VERSION_TABLE},
    editor::SchemaEditor,
    schema::{ChangeState, MIGRATION_TABLE, Schema},
};

/// The statements of one change, its record in `openapi_migrations` included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSql {
    /// The name of the migration, or of the table that records migrations or versions.
    pub name: String,
    /// In the dialect of the database, without semicolons.
    pub statements: Vec<String>,
}

impl Schema {
    /// What applying the pending migrations executes, in order. Nothing is executed. `applied_at` is in seconds since
    /// 1970; `version` is recorded at the end, unless a newer version has migrated the database.
    pub async fn up_sql(
        &self,
        manager: &SchemaManager<'_>,
        version: &CompatibleVersion,
        applied_at: i64,
    ) -> Result<Vec<ChangeSql>, DbErr> {
        let mut sql = Vec::new();
        if !manager.has_table(MIGRATION_TABLE).await? {
            let table = sea_orm::Schema::new(manager.get_database_backend())
                .create_table_from_entity(seaql_migrations::Entity)
                .table(MIGRATION_TABLE)
                .if_not_exists()
                .take();
            let schema = SchemaEditor::collecting(manager);
            schema.create_table(table).await?;
            sql.push(ChangeSql { name: MIGRATION_TABLE.to_owned(), statements: schema.into_statements() });
        }
        for change in self.changes_in(ChangeState::Pending) {
            let schema = SchemaEditor::collecting(manager);
            change.up(&schema).await?;
            let record = Query::insert()
                .into_table(MIGRATION_TABLE)
                .columns([seaql_migrations::Column::Version, seaql_migrations::Column::AppliedAt])
                .values_panic([change.name().into(), applied_at.into()])
                .take();
            schema.execute(&record).await?;
            sql.push(ChangeSql { name: change.name().to_owned(), statements: schema.into_statements() });
        }
        if !self.is_newer() {
            sql.push(version_sql(manager, version).await?);
        }
        Ok(sql)
    }

    /// What reverting the last `count` applied migrations executes, the last one first. Nothing is executed.
    pub async fn down_sql(
        &self,
        manager: &SchemaManager<'_>,
        version: &CompatibleVersion,
        count: usize,
    ) -> Result<Vec<ChangeSql>, DbErr> {
        let mut sql = Vec::new();
        let mut has_versions = manager.has_table(SCHEMA_VERSION_TABLE).await?;
        for change in self.changes_in(ChangeState::Applied).into_iter().rev().take(count) {
            let schema = SchemaEditor::collecting(manager);
            change.down(&schema).await?;
            let record = Query::delete()
                .from_table(MIGRATION_TABLE)
                .and_where(Expr::col(seaql_migrations::Column::Version).eq(change.name()))
                .take();
            schema.execute(&record).await?;
            sql.push(ChangeSql { name: change.name().to_owned(), statements: schema.into_statements() });
            has_versions &= !change.name().ends_with(SCHEMA_VERSION_TABLE);
        }
        if has_versions && !sql.is_empty() {
            sql.push(version_sql(manager, version).await?);
        }
        Ok(sql)
    }
}

async fn version_sql(manager: &SchemaManager<'_>, version: &CompatibleVersion) -> Result<ChangeSql, DbErr> {
    let schema = SchemaEditor::collecting(manager);
    version.write(&schema).await?;
    Ok(ChangeSql { name: SCHEMA_VERSION_TABLE.to_owned(), statements: schema.into_statements() })
}
