//! `conversations`. Times are UTC without a zone.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[expect(clippy::struct_field_names, reason = "the columns are Dify's")]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversations")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub app_id: DbUuid,
    pub app_model_config_id: Option<DbUuid>,
    pub model_provider: Option<String>,
    pub override_model_configs: Option<String>,
    pub model_id: Option<String>,
    pub mode: String,
    pub name: String,
    pub summary: Option<String>,
    pub inputs: Json,
    pub introduction: Option<String>,
    pub system_instruction: Option<String>,
    pub system_instruction_tokens: i32,
    pub status: String,
    pub from_source: String,
    pub from_end_user_id: Option<DbUuid>,
    pub from_account_id: Option<DbUuid>,
    pub read_at: Option<DateTime>,
    pub read_account_id: Option<DbUuid>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub is_deleted: bool,
    pub invoke_from: Option<String>,
    pub dialogue_count: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
