//! `upload_files`: files that callers uploaded. Times are UTC without a zone.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "upload_files")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub tenant_id: DbUuid,
    pub storage_type: String,
    pub key: String,
    pub name: String,
    pub size: i32,
    pub extension: String,
    pub mime_type: Option<String>,
    pub created_by: DbUuid,
    pub created_at: DateTime,
    pub used: bool,
    pub created_by_role: String,
    pub source_url: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
