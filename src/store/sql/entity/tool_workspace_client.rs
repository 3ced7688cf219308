//! `tool_oauth_tenant_clients`: OAuth clients of workspaces.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tool_oauth_tenant_clients")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub tenant_id: DbUuid,
    pub plugin_id: String,
    pub provider: String,
    pub enabled: bool,
    pub encrypted_oauth_params: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
