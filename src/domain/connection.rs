//! Connections: credentials of a person or a workspace at a third-party service (contract part 4).

pub(crate) mod client;
pub(crate) mod credential;
pub(crate) mod field;
pub(crate) mod manifest;
pub(crate) mod provider_key;
pub(crate) mod values;
