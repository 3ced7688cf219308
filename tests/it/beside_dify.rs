//! Beside Dify: on a database that Dify made, with its key, its cookies, its cache; nothing of Dify's is altered.

mod apps;
mod cache;
mod console;
mod cookies;
mod runs;
mod schema;
mod token_rows;
mod tokens;
