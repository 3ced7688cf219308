//! `workflow_runs`: runs of graphs with their outcome. JSON is text; times are UTC without a zone.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_runs")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub tenant_id: DbUuid,
    pub app_id: DbUuid,
    pub workflow_id: DbUuid,
    pub r#type: String,
    pub triggered_from: String,
    pub version: String,
    pub graph: Option<String>,
    pub inputs: Option<String>,
    pub status: String,
    pub outputs: Option<String>,
    pub error: Option<String>,
    pub elapsed_time: f64,
    pub total_tokens: i64,
    pub total_steps: Option<i32>,
    pub created_by_role: String,
    pub created_by: DbUuid,
    pub created_at: DateTime,
    pub finished_at: Option<DateTime>,
    pub exceptions_count: Option<i32>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
