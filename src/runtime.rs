//! What runs apps, behind `ports::runtime`: the runtime built in here, and Dify's own service API.

pub(crate) mod absent;
pub(crate) mod builtin;
pub(crate) mod dify;
pub(crate) mod http_client;
pub(crate) mod outbound;
pub(crate) mod upstream;
