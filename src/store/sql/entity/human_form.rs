//! `openapi_human_forms`: forms of runs that wait for a person. `form` and `state` are JSON.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "openapi_human_forms")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub token_hash: String,
    pub app_id: DbUuid,
    pub workflow_id: DbUuid,
    pub workflow_run_id: DbUuid,
    pub task_id: DbUuid,
    pub end_user_id: DbUuid,
    /// Empty once the form is resolved.
    pub form: String,
    /// Empty once the run has continued.
    pub state: String,
    /// Length of `state` while the run waits.
    pub state_bytes: i64,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    /// Null while the run waits.
    pub resolved_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
