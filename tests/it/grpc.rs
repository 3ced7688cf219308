//! The gRPC services.

mod errors;
mod infrastructure;
mod services;
mod web;
