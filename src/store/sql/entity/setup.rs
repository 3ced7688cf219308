//! `dify_setups`: a row once the first administrator exists. Times are UTC without a zone.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dify_setups")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: String,
    pub setup_at: DateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
