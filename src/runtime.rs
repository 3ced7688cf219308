//! What runs apps, behind `ports::runtime`: the runtime built in here, and Dify's own service API.

pub mod absent;
pub mod builtin;
pub mod dify;
pub mod http_client;
pub mod outbound;
pub(crate) mod upstream;
