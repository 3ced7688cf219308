//! `tenant_account_joins`: who is in which workspace. Times are UTC without a zone.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant_account_joins")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub tenant_id: DbUuid,
    pub account_id: DbUuid,
    pub role: String,
    pub invited_by: Option<DbUuid>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub current: bool,
}

/// Joins are written out where they are made.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
