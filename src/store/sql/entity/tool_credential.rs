//! `tool_builtin_providers`: credentials of tool providers. Times are UTC without a zone.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tool_builtin_providers")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub tenant_id: Option<DbUuid>,
    pub user_id: DbUuid,
    pub provider: String,
    pub encrypted_credentials: Option<String>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub name: String,
    pub is_default: bool,
    pub credential_type: String,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
