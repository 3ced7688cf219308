//! `workflows`: drafts and published versions of graphs. JSON is text; times are UTC without a zone.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflows")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub tenant_id: DbUuid,
    pub app_id: DbUuid,
    pub r#type: String,
    pub version: String,
    pub graph: String,
    pub features: String,
    pub created_by: DbUuid,
    pub created_at: DateTime,
    pub updated_by: Option<DbUuid>,
    pub updated_at: DateTime,
    pub environment_variables: String,
    pub conversation_variables: String,
    pub marked_name: String,
    pub marked_comment: String,
    pub rag_pipeline_variables: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
