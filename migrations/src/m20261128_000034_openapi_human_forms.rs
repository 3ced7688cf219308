//! `openapi_human_forms`: forms of runs that wait for a person, with what is kept of the run.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::drop_own,
};

const TABLE: &str = "openapi_human_forms";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let columns = Columns::of(schema.backend());
        let mut table = Table::create();
        table
            .table(TABLE)
            .if_not_exists()
            .col(columns.uuid("id").not_null())
            .col(Columns::varchar("token_hash", 64).not_null())
            .col(columns.uuid("app_id").not_null())
            .col(columns.uuid("workflow_id").not_null())
            .col(columns.uuid("workflow_run_id").not_null())
            .col(columns.uuid("task_id").not_null())
            .col(columns.uuid("end_user_id").not_null())
            .col(columns.long_text("form").not_null())
            .col(columns.long_text("state").not_null())
            .col(ColumnDef::new("state_bytes").big_integer().not_null())
            .col(columns.timestamptz("created_at").not_null())
            .col(columns.timestamptz("expires_at").not_null())
            .col(columns.timestamptz("resolved_at").null())
            .primary_key(Index::create().name("openapi_human_forms_pkey").col("id"));
        schema.create_table(table).await?;
        for (name, columns, unique) in [
            ("openapi_human_forms_token_hash_key", &["token_hash"][..], true),
            ("openapi_human_forms_workflow_run_id_idx", &["workflow_run_id"], false),
            ("openapi_human_forms_task_id_idx", &["task_id"], false),
            ("openapi_human_forms_end_user_id_resolved_at_idx", &["end_user_id", "resolved_at"], false),
            ("openapi_human_forms_resolved_at_expires_at_idx", &["resolved_at", "expires_at"], false),
        ] {
            let mut index = Index::create();
            index.name(name).table(TABLE);
            for column in columns {
                index.col(*column);
            }
            if unique {
                index.unique();
            }
            schema.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_own(schema, TABLE).await
    }
}
