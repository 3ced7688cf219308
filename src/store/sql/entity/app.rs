//! `apps`: Dify's apps. Times are UTC without a zone.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[expect(clippy::struct_excessive_bools, reason = "the columns are Dify's")]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "apps")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub tenant_id: DbUuid,
    pub name: String,
    pub mode: String,
    pub icon: Option<String>,
    pub icon_background: Option<String>,
    pub app_model_config_id: Option<DbUuid>,
    pub status: String,
    pub enable_site: bool,
    pub enable_api: bool,
    pub api_rpm: i32,
    pub api_rph: i32,
    pub is_demo: bool,
    pub is_public: bool,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub is_universal: bool,
    pub workflow_id: Option<DbUuid>,
    pub description: String,
    pub tracing: Option<String>,
    pub max_active_requests: Option<i32>,
    pub icon_type: Option<String>,
    pub created_by: Option<DbUuid>,
    pub updated_by: Option<DbUuid>,
    pub use_icon_as_answer_icon: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
