//! The tables, one entity each; names and types are Dify's where the table is.
//!
//! Entities name columns and write rows. Reads select the columns they need: no model with a hash in it is ever loaded.

pub(super) mod account;
pub(super) mod api_token;
pub(super) mod app;
pub(super) mod app_model_config;
pub(super) mod browser_session;
pub(super) mod conversation;
pub(super) mod conversation_variables;
pub(super) mod end_user;
pub(super) mod message;
pub(super) mod oauth_access_token;
pub(super) mod session;
pub(super) mod spent_refresh_token;
pub(super) mod tag;
pub(super) mod tag_binding;
pub(super) mod tenant;
pub(super) mod tenant_account_join;
pub(super) mod workflow;
pub(super) mod workflow_run;
