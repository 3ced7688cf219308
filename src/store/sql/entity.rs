//! One entity for each table. Names and types of Dify's tables are Dify's.
//!
//! Entities name columns and write rows. Reads select the columns they need, so that no model with a hash is loaded.

pub(super) mod account;
pub(super) mod api_token;
pub(super) mod app;
pub(super) mod app_access;
pub(super) mod app_access_account;
pub(super) mod app_model_config;
pub(super) mod browser_session;
pub(super) mod connection_provider;
pub(super) mod connection_state;
pub(super) mod conversation;
pub(super) mod conversation_variables;
pub(super) mod end_user;
pub(super) mod human_form;
pub(super) mod message;
pub(super) mod oauth_access_token;
pub(super) mod operator_event;
pub(super) mod session;
pub(super) mod setup;
pub(super) mod spent_refresh_token;
pub(super) mod tag;
pub(super) mod tag_binding;
pub(super) mod tenant;
pub(super) mod tenant_account_join;
pub(super) mod tool_credential;
pub(super) mod tool_system_client;
pub(super) mod tool_workspace_client;
pub(super) mod upload_file;
pub(super) mod workflow;
pub(super) mod workflow_run;
