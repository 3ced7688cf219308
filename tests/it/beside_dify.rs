//! The service beside Dify: on a database created by Dify, with Dify's key, cookies and cache. No data of Dify changes.

mod apps;
mod cache;
mod connections;
mod console;
mod cookies;
mod enterprise;
mod forms;
mod operator;
mod run_tasks;
mod runs;
mod schema;
mod token_rows;
mod tokens;
mod uploads;
mod workspaces;
