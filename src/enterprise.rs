//! The implementations of the ports of the Enterprise edition: Dify Enterprise's inner API, the tables of this service,
//! and an OpenID Connect client.

pub(crate) mod built_in;
pub(crate) mod oidc;
pub(crate) mod remote;

mod single_flight;
