//! The doors: JSON and gRPC over one listener, the edge around them, and the pages.

pub mod admin;
pub mod answer;
pub mod client_address;
pub mod codec;
pub mod cors;
pub mod edge;
pub mod error_body;
pub mod fallback;
pub mod grpc_door;
pub mod json_door;
pub mod listen;
pub mod pages;
pub mod routes;
pub mod status;
pub mod well_known;
