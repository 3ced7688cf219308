//! `openapi_connections`: the state of connections. A connection that Dify has created has no row until it is used.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "openapi_connections")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub credential_id: DbUuid,
    pub visibility: String,
    pub status: String,
    pub reason: Option<String>,
    pub failures: i32,
    pub retry_at: Option<DateTimeUtc>,
    pub last_used_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
