//! The tables, one entity each; names and types are Dify's where the table is.
//!
//! Entities name columns and write rows. Reads select the columns they need: no model with a hash in it is ever loaded.

pub mod account;
pub mod api_token;
pub mod app;
pub mod app_model_config;
pub mod browser_session;
pub mod conversation;
pub mod conversation_variables;
pub mod end_user;
pub mod message;
pub mod oauth_access_token;
pub mod session;
pub mod spent_refresh_token;
pub mod tag;
pub mod tag_binding;
pub mod tenant;
pub mod tenant_account_join;
pub mod workflow;
pub mod workflow_run;
