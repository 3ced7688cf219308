//! The service beside Dify: on a database created by Dify, with Dify's key, cookies and cache. No data of Dify changes.

mod apps;
mod cache;
mod console;
mod cookies;
mod runs;
mod schema;
mod token_rows;
mod tokens;
