//! dify-openapi: the service behind Dify's `/openapi/v1`, over JSON and gRPC.
//!
//! The binary calls [`run_command`]; tests, benches and fuzz targets use [`testing`]. Everything else is private, so
//! that the compiler reports code that nothing uses.

mod app;
mod cli;
mod config;
mod connections;
mod domain;
mod dsl;
mod enterprise;
mod expiring_cache;
mod http;
mod http_client;
mod jobs;
mod memory;
mod pipeline;
mod ports;
mod rpc;
mod runtime;
mod service;
mod store;
mod telemetry;
pub mod testing;
mod trusted_roots;

pub use cli::main as run_command;
