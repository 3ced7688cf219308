//! `openapi_sessions`: what a session is listed with beyond its row in `oauth_access_tokens`.
//!
//! It describes the token issued at `created_at`; a row that Dify has rotated since has another `created_at`.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "openapi_sessions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_id: DbUuid,
    pub prefix: String,
    pub created_ip: String,
    pub user_agent: Option<String>,
    pub created_at: DateTimeUtc,
}

/// Joins are written out where they are made.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
