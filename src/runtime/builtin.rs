//! The built-in runtime: runs apps as Dify's DSL describes them, in this process.
//!
//! A run is a task of the process. It ends with its last event, when its reader disconnects, at its timeout, or when
//! the server stops, and is stored in each case. Nothing is written before the first event.

pub(crate) mod app_runtime;
pub(crate) mod engine;
pub(crate) mod events;
pub(crate) mod graph;
pub(crate) mod graph_features;
pub(crate) mod jinja;
pub(crate) mod json;
pub(crate) mod json_repair;
pub(crate) mod model;
pub(crate) mod name_list;
pub(crate) mod nodes;
pub(crate) mod prompt_app;
pub(crate) mod run_context;
pub(crate) mod run_images;
pub(crate) mod run_input;
pub(crate) mod run_limits;
pub(crate) mod run_memory;
pub(crate) mod secret_masks;
pub(crate) mod template;
pub(crate) mod variables;

mod bounded_buffer;
mod chat_history;
mod graph_run;
mod graph_variables;
mod prompt_run;
mod published_graphs;
mod run_store;
mod saved_run;
mod token_estimate;

#[cfg(test)]
mod tests;
