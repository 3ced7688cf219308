//! The doors: JSON and gRPC over one listener, the edge around them, and the pages.

pub(crate) mod admin;
pub(crate) mod anonymous;
pub(crate) mod answer;
mod around;
pub(crate) mod client_address;
pub(crate) mod codec;
pub(crate) mod cors;
pub(crate) mod custom_verb;
pub(crate) mod edge;
pub(crate) mod error_body;
pub(crate) mod fallback;
pub(crate) mod file_preview;
pub(crate) mod grpc_door;
pub(crate) mod json_door;
pub(crate) mod listen;
mod media_type;
mod memory_owner;
mod multipart;
mod network_limit;
pub(crate) mod pages;
mod quality;
pub(crate) mod routes;
pub(crate) mod status;
pub(crate) mod well_known;
