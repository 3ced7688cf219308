//! `openapi_sessions`: details of sessions that `oauth_access_tokens` has no columns for.
//!
//! A row describes the token that was issued at `created_at`. When Dify rotates a token, its `created_at` changes.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "openapi_sessions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_id: DbUuid,
    pub prefix: String,
    pub created_ip: String,
    pub user_agent: Option<String>,
    pub created_at: DateTimeUtc,
    /// The name that a person gave the session; null shows the label of the device.
    pub name: Option<String>,
    /// The address of the last use; null until the first one.
    pub last_ip: Option<String>,
    /// The user agent of the last use.
    pub last_user_agent: Option<String>,
    /// The hash of the token, which `oauth_access_tokens` erases at its end. Null for tokens of older versions.
    pub token_hash: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
