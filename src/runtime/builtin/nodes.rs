//! The types of nodes: the data of each, as the graph holds it, and one run of it.
//!
//! A node reads its values from the variable pool when it starts and is independent of the pool from then on. It
//! neither sends events nor knows other nodes. The engine handles retries, error branches and timeouts.

pub(crate) mod aggregator;
pub(crate) mod answer;
pub(crate) mod assigner;
pub(crate) mod end;
pub(crate) mod http_request;
pub(crate) mod human_input;
pub(crate) mod if_else;
pub(crate) mod iteration;
pub(crate) mod llm;
pub(crate) mod outcome;
pub(crate) mod start;
pub(crate) mod template_transform;
pub(crate) mod text_sender;
pub(crate) mod tool;
pub(crate) mod workspace_credentials;
