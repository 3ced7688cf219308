//! The generated messages and services.

tonic::include_proto!("dify.openapi.v1");

/// The encoded file descriptors, for reflection: without the methods that are served as JSON only.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
