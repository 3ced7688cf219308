//! What runs apps, behind `ports::runtime`: the runtime built in here, and Dify's own service API.

pub mod builtin;
pub mod outbound;
