//! Current credentials for the nodes of runs (contract K5).

use async_trait::async_trait;

use super::{Connections, current::CredentialSelection, error::unknown_connection};
use crate::{
    domain::{
        Error, Result,
        connection::{
            credential::{Connection, CredentialType, Visibility},
            field::FieldKind,
            manifest::ProviderManifest,
        },
        id::WorkspaceId,
        secret::Secret,
    },
    ports::run_credentials::{NamedCredential, RunCredentials},
};

/// Who reads, for audit events.
const READER: &str = "run";

#[async_trait]
impl RunCredentials for Connections {
    async fn secret(&self, workspace: WorkspaceId, named: &NamedCredential) -> Result<Secret> {
        let selection = CredentialSelection {
            workspace,
            provider: named.provider.clone(),
            connection: Some(named.connection),
            account: None,
        };
        let connection = self.select(&selection).await?;
        if !connection.visibility.is(Visibility::Workspace) {
            return Err(unknown_connection());
        }
        let current = self.read_current(connection, &selection, READER).await?;
        let field = match &named.field {
            Some(field) => Some(field.as_str()),
            None => usual_field(&current.manifest, &current.connection),
        };
        let value = field.and_then(|field| current.values.text(field));
        value.map(Secret::new).ok_or_else(|| {
            Error::invalid_param("authorization", "field", "name a text field of the connection's values")
        })
    }
}

/// The field of the access token, or the only secret of an API key.
fn usual_field<'a>(manifest: &'a ProviderManifest, connection: &Connection) -> Option<&'a str> {
    if connection.kind.is(CredentialType::OAuth) {
        let field = manifest.oauth.as_ref().map(|oauth| oauth.field_of("access_token"));
        return Some(field.unwrap_or("access_token"));
    }
    let mut secrets = manifest.api_key_fields.iter().filter(|field| field.kind == FieldKind::Secret);
    match (secrets.next(), secrets.next()) {
        (Some(only), None) => Some(&only.name),
        _ => None,
    }
}
