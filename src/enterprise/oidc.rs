//! The built-in OpenID Connect client (OpenID Connect Core 1.0, authorization code flow with PKCE).
//!
//! It reads the provider's metadata and keys in the background, sends people to the provider, and verifies the ID
//! tokens that it issues. It keeps no state of a sign-in.

mod client;
mod discovery;
mod error;
mod fetch;
mod id_token;
mod keys;
mod token;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    client::{OidcClient, OidcSettings},
    fetch::ProviderHttp,
};
