//! dify-openapi: the service behind Dify's `/openapi/v1`, over JSON and gRPC.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod dsl;
pub mod http;
pub mod jobs;
pub mod pipeline;
pub mod ports;
pub mod rpc;
pub mod runtime;
pub mod service;
pub mod store;
pub mod telemetry;
