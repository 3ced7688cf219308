//! Current credentials for the nodes of runs (contract K5).

use async_trait::async_trait;

use super::{
    Connections,
    current::CredentialSelection,
    error::{connection_missing, unknown_connection},
    values::fields_of,
};
use crate::{
    domain::{
        Code, Error, Result,
        connection::{
            credential::{Connection, CredentialType, Visibility},
            field::FieldKind,
            manifest::ProviderManifest,
        },
        id::{ConnectionId, WorkspaceId},
        secret::Secret,
    },
    ports::run_credentials::{NamedCredential, RunCredentials, ToolConnection, ToolCredentials},
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

    async fn for_tool(&self, wanted: &ToolConnection) -> Result<Option<ToolCredentials>> {
        let ToolConnection { workspace, account, provider, connection } = wanted;
        let needs_connection = match self.provider(provider).await {
            Ok(manifest) => manifest.supports_oauth() || manifest.supports_api_keys(),
            // The provider of a plugin that has no manifest here has no connections either.
            Err(error) if error.code() == Code::NotFound => false,
            Err(error) => return Err(error),
        };
        if connection.is_none() && !needs_connection {
            return Ok(None);
        }
        let may_use = |connection: &Connection| {
            connection.visibility.is(Visibility::Workspace)
                || account.is_some_and(|account| connection.owner == account)
        };
        let found = self.find_usable(*workspace, provider, *connection, *account, may_use).await?;
        let found = found.ok_or_else(|| match connection {
            Some(_) => unknown_connection(),
            None => connection_missing(provider),
        })?;
        let selection = CredentialSelection {
            workspace: *workspace,
            provider: provider.clone(),
            connection: Some(found.id),
            account: *account,
        };
        let current = self.read_current(found, &selection, READER).await?;
        let fields = fields_of(&current.manifest, &current.connection);
        Ok(Some(ToolCredentials {
            connection: current.connection.id,
            credential_type: current.connection.kind.as_str().to_owned(),
            secrets: current.values.secrets(fields),
            values: current.values,
        }))
    }

    async fn report_rejected(&self, wanted: &ToolConnection, used: ConnectionId) {
        // The outcome is the state of the connection; an error says why it cannot be used any more.
        let selection = CredentialSelection {
            workspace: wanted.workspace,
            provider: wanted.provider.clone(),
            connection: Some(used),
            account: None,
        };
        if let Err(error) = self.report_invalid(&selection).await {
            tracing::info!(
                connection_id = %used,
                error = &error as &dyn std::error::Error,
                "a tool reports that the credentials of a connection are rejected"
            );
        }
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
