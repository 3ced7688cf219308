//! `openapi_browser_sessions`: sign-ins to the pages of a standalone server.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "openapi_browser_sessions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub account_id: DbUuid,
    pub refresh_hash: String,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub remember: bool,
    /// The hash before `refresh_hash`; null before the first refresh.
    pub previous_refresh_hash: Option<String>,
    pub refreshed_at: Option<DateTimeUtc>,
    /// Where the session began; null in rows of older versions.
    pub created_ip: Option<String>,
    pub user_agent: Option<String>,
    /// Where the last refresh came from; null before the first one.
    pub last_ip: Option<String>,
    pub last_user_agent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
