//! The gRPC door: the same calls, in the same words.

mod errors;
mod infrastructure;
mod services;
