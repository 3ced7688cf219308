//! `openapi_connection_providers`: imported manifests.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "openapi_connection_providers")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: String,
    /// JSON.
    pub manifest: String,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
