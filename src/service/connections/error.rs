//! Errors of connections.

use crate::{
    domain::{
        Code, Error,
        connection::{credential::Connection, provider_key::ProviderKey},
    },
    ports::connection_backend::BackendError,
};

pub(super) fn unknown_provider() -> Error {
    Error::not_found("There is no such provider.")
        .with_hint("`dify-openapi connection provider list` lists the providers.")
}

pub(super) fn unknown_connection() -> Error {
    Error::not_found("There is no such connection.")
}

/// A tool needs a connection, and the person who runs it may use none.
pub(super) fn connection_missing(provider: &ProviderKey) -> Error {
    Error::new(Code::NotFound, format!("There is no connection to {provider} that you may use."))
        .with_hint("Connect it under Connections.")
}

/// The connection has changed since it was read.
pub(super) fn changed_meanwhile() -> Error {
    Error::new(Code::Conflict, "The connection was changed at the same time.").with_hint("Try again.")
}

pub(super) fn client_missing(redirect_uri: &str) -> Error {
    Error::new(Code::OauthClientMissing, "This provider has no OAuth client yet.").with_hint(format!(
        "An administrator of the workspace registers a client at the provider with the redirect URI {redirect_uri} and \
         enters it under Connections."
    ))
}

/// A person has to authorize again.
pub(super) fn reauthorization_required(connection: &Connection) -> Error {
    let reason = connection.health.reason.as_ref().map_or("unknown", |reason| reason.as_str()).to_owned();
    Error::new(
        Code::ReauthorizationRequired,
        format!("The connection `{}` has to be authorized again ({reason}).", connection.name),
    )
    .with_hint("Its owner reconnects it under Connections.")
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        let (code, message) = match &error {
            BackendError::Rejected(_) => (Code::UpstreamError, "The provider rejects the credentials."),
            BackendError::WrongIssuer | BackendError::InvalidAnswer(_) => {
                (Code::UpstreamError, "The provider's answer cannot be used.")
            }
            BackendError::Unavailable { .. } => (Code::UpstreamError, "The provider cannot be reached."),
            BackendError::NotSupported(what) => return Self::new(Code::InvalidRequest, *what),
        };
        Self::new(code, message).with_hint("Try again in a few minutes.").with_source(error)
    }
}
