//! `openapi_conversation_variables`: one row a conversation, its variables as one JSON object.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "openapi_conversation_variables")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: DbUuid,
    pub variables: String,
    pub updated_at: DateTimeUtc,
}

/// Joins are written out where they are made.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
