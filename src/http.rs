//! The doors: JSON and gRPC over one listener, the edge around them, and the pages.

pub(crate) mod admin;
pub(crate) mod anonymous;
pub(crate) mod answer;
pub(crate) mod client_address;
pub(crate) mod codec;
pub(crate) mod cors;
pub(crate) mod edge;
pub(crate) mod error_body;
pub(crate) mod fallback;
pub(crate) mod grpc_door;
pub(crate) mod json_door;
pub(crate) mod listen;
mod memory_owner;
mod network_limit;
pub(crate) mod pages;
mod quality;
pub(crate) mod routes;
pub(crate) mod status;
pub(crate) mod well_known;
