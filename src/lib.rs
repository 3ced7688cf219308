//! dify-openapi: the service behind Dify's `/openapi/v1`, over JSON and gRPC.

pub mod domain;
pub mod ports;
