//! The header with a value of a connection (`authorization.type: connection`, an extension of this service).

use http::HeaderName;
use uuid::Uuid;

use super::{
    data::{ApiKeyKind, AuthorizationConfig},
    header::{authorization_value, parse_header},
};
use crate::{
    domain::id::ConnectionId,
    ports::run_credentials::NamedCredential,
    runtime::{
        builtin::{
            nodes::{outcome::NodeError, workspace_credentials::WorkspaceCredentials},
            secret_masks::SecretMasks,
        },
        outbound::OutboundRequest,
    },
};

/// A header that is added when the request is sent, because its value may have to be refreshed.
pub(super) struct ConnectionHeader {
    pub name: HeaderName,
    /// Whether it is sent. A header of the transport is not.
    pub is_sent: bool,
    kind: ApiKeyKind,
    named: NamedCredential,
}

impl ConnectionHeader {
    pub(super) fn new(config: &AuthorizationConfig, name: HeaderName, is_sent: bool) -> Result<Self, Box<NodeError>> {
        let error = |message: &str| NodeError::new("AuthorizationConfigError", message);
        let provider = config.provider.trim().parse();
        let connection = Uuid::parse_str(config.credential_id.trim());
        let field = config.field.trim();
        Ok(Self {
            name,
            is_sent,
            kind: config.kind.unwrap_or(ApiKeyKind::Bearer),
            named: NamedCredential {
                provider: provider
                    .map_err(|_| error("authorization config: provider is not organization/plugin/name"))?,
                connection: ConnectionId(
                    connection
                        .map_err(|_| error("authorization config: credential_id is not the id of a connection"))?,
                ),
                field: (!field.is_empty()).then(|| field.to_owned()),
            },
        })
    }

    /// Adds the header to the request. Returns masks of its value, for what the node reports.
    pub(super) async fn add_to(
        &self,
        request: &mut OutboundRequest,
        credentials: &WorkspaceCredentials,
    ) -> Result<SecretMasks, Box<NodeError>> {
        let secret = credentials.source.secret(credentials.workspace, &self.named).await;
        let secret = secret.map_err(|error| NodeError::new("ConnectionError", error.message()))?;
        let written = authorization_value(self.kind, secret.expose());
        let (_, mut value) = parse_header(self.name.as_str(), &written)?;
        value.set_sensitive(true);
        if self.is_sent {
            request.headers.insert(self.name.clone(), value);
        }
        // What follows the scheme may be encoded.
        let sent = written.rsplit(' ').next().unwrap_or_default();
        Ok(SecretMasks::new([secret.expose(), sent]))
    }
}
