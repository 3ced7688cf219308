//! `messages`: one query and its answer. Times are UTC without a zone.
//!
//! Prices are `numeric`. They are written from a float, and PostgreSQL does not return them as one.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[expect(clippy::struct_field_names, reason = "the columns are Dify's")]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub app_id: DbUuid,
    pub model_provider: Option<String>,
    pub model_id: Option<String>,
    pub override_model_configs: Option<String>,
    pub conversation_id: DbUuid,
    pub inputs: Json,
    pub query: String,
    pub message: Json,
    pub message_tokens: i32,
    pub message_unit_price: f64,
    pub answer: String,
    pub answer_tokens: i32,
    pub answer_unit_price: f64,
    pub provider_response_latency: f64,
    pub total_price: Option<f64>,
    pub currency: String,
    pub from_source: String,
    pub from_end_user_id: Option<DbUuid>,
    pub from_account_id: Option<DbUuid>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub agent_based: bool,
    pub message_price_unit: f64,
    pub answer_price_unit: f64,
    pub workflow_run_id: Option<DbUuid>,
    pub status: String,
    pub error: Option<String>,
    pub message_metadata: Option<String>,
    pub invoke_from: Option<String>,
    pub parent_message_id: Option<DbUuid>,
    pub app_mode: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
