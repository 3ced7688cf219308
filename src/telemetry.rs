//! What the service says about itself.

pub mod audit;
pub mod failure;
pub mod request_id;
pub mod access;
pub mod metrics;
