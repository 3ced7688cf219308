//! Lists, adds, changes and deletes connections.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    Connections,
    error::{changed_meanwhile, unknown_connection},
    member::CurrentMember,
    values::fields_of,
};
use crate::{
    domain::{
        Code, Error, Result,
        connection::{
            credential::{Connection, ConnectionChange, CredentialType, MAX_NAME, NEVER, NewConnection, Visibility},
            manifest::ProviderManifest,
            provider_key::ProviderKey,
            values::CredentialValues,
        },
        id::ConnectionId,
        text::is_unprintable,
    },
    ports::credential_cipher::SealedRow,
    telemetry::audit::connections::ConnectionEvent,
};

/// A connection as a member sees it.
pub struct ConnectionView {
    pub connection: Connection,
    /// The values, masked. Empty for connections that the member may not use, and for ones that cannot be decrypted.
    pub values: Map<String, Value>,
    /// Whether the member may change it.
    pub may_change: bool,
}

/// Credentials that a person has entered.
pub struct EnteredConnection {
    pub values: CredentialValues,
    /// `None` for an automatic name.
    pub name: Option<String>,
    pub visibility: Visibility,
}

/// A change that a person has entered.
#[derive(Default)]
pub struct EnteredUpdate {
    pub values: Option<CredentialValues>,
    pub name: Option<String>,
    pub visibility: Option<Visibility>,
}

impl Connections {
    /// The connections of the workspace that the member sees, oldest first.
    pub async fn list(
        &self,
        member: CurrentMember,
        key: &ProviderKey,
    ) -> Result<(Arc<ProviderManifest>, Vec<ConnectionView>)> {
        let manifest = self.provider(key).await?;
        let stored = self.dependencies.context.sql.list_connections(member.workspace, Some(&key.to_string())).await?;
        let mut views = Vec::with_capacity(stored.len());
        for connection in stored.into_iter().filter(|connection| member.sees(connection)) {
            let values = if connection.is_visible_to(member.account) {
                let opened = self.open(&manifest, &connection).await;
                opened.map(|values| values.masked(fields_of(&manifest, &connection))).unwrap_or_default()
            } else {
                Map::new()
            };
            views.push(ConnectionView { may_change: member.require_change(&connection).is_ok(), connection, values });
        }
        Ok((manifest, views))
    }

    /// Adds an API key.
    pub async fn add(
        &self,
        member: CurrentMember,
        key: &ProviderKey,
        entered: EnteredConnection,
    ) -> Result<ConnectionId> {
        let manifest = self.provider(key).await?;
        if !manifest.supports_api_keys() {
            return Err(Error::new(Code::InvalidRequest, "This provider has no API keys; authorize it instead."));
        }
        let values = CredentialValues::entered(&manifest.api_key_fields, &entered.values, None)?;
        let context = &self.dependencies.context;
        let id = ConnectionId(context.entropy.uuid_v4()?);
        let row = SealedRow::Connection { workspace: member.workspace, id };
        let new = NewConnection {
            id,
            workspace_id: member.workspace,
            owner: member.account,
            max_of_owner: member.max_connections(),
            provider: key.to_string(),
            name: entered.name.as_deref().map(checked_name).transpose()?,
            kind: CredentialType::ApiKey,
            visibility: entered.visibility,
            sealed: self.dependencies.cipher.seal(row, &manifest.api_key_fields, &values).await?,
            expires_at: NEVER,
            created_at: context.clock.now(),
        };
        self.insert_row(&new).await?;
        ConnectionEvent::Authorized {
            connection_id: id,
            provider: key,
            workspace_id: member.workspace,
            account_id: member.account,
            again: false,
        }
        .record();
        Ok(id)
    }

    /// Renames or shares a connection, or replaces the values of an API key.
    pub async fn update(
        &self,
        member: CurrentMember,
        key: &ProviderKey,
        id: ConnectionId,
        entered: EnteredUpdate,
    ) -> Result<()> {
        let connection = self.changeable(member, key, id).await?;
        if entered.visibility.is_some() && connection.owner != member.account {
            return Err(Error::new(Code::Forbidden, "Only its owner may share a connection."));
        }
        let sealed = match &entered.values {
            Some(values) if connection.kind.is(CredentialType::ApiKey) => {
                let manifest = self.provider(key).await?;
                let stored = self.open(&manifest, &connection).await.ok();
                let values = CredentialValues::entered(&manifest.api_key_fields, values, stored.as_ref())?;
                Some(self.seal(&manifest, &connection, &values).await?)
            }
            Some(_) => {
                return Err(Error::new(Code::InvalidRequest, "The provider issues the values of this connection.")
                    .with_hint("Authorize it again to replace them."));
            }
            None => None,
        };
        let has_values = sealed.is_some();
        let name = entered.name.as_deref().map(checked_name).transpose()?;
        let change = ConnectionChange { name, visibility: entered.visibility, sealed };
        // A refresh may replace the values between reading and writing; a change without values is then repeated.
        if !self.change_row(&connection, &change).await? {
            let again = self.changeable(member, key, id).await?;
            if has_values || !self.change_row(&again, &change).await? {
                return Err(changed_meanwhile());
            }
        }
        if has_values {
            self.mark_row_active(&connection).await?;
        }
        ConnectionEvent::Changed {
            connection_id: id,
            provider: &connection.provider,
            workspace_id: connection.workspace_id,
            account_id: member.account,
            renamed: change.name.is_some(),
            visibility: change.visibility.map(Visibility::as_str),
            values_replaced: has_values,
        }
        .record();
        Ok(())
    }

    /// Makes a connection its owner's default for the provider.
    pub async fn make_default(&self, member: CurrentMember, key: &ProviderKey, id: ConnectionId) -> Result<()> {
        let connection = self.changeable(member, key, id).await?;
        self.make_row_default(&connection).await?;
        ConnectionEvent::DefaultChanged {
            connection_id: id,
            provider: &connection.provider,
            workspace_id: connection.workspace_id,
            account_id: member.account,
        }
        .record();
        Ok(())
    }

    /// A connection to the provider that the member may change. Fails with `not_found` for one that the member does not
    /// see, and with `forbidden` for one of another member.
    pub(super) async fn changeable(
        &self,
        member: CurrentMember,
        key: &ProviderKey,
        id: ConnectionId,
    ) -> Result<Connection> {
        let found = self.dependencies.context.sql.find_connection(member.workspace, id).await?;
        let is_visible = |one: &Connection| member.sees(one) && one.provider == key.to_string();
        let connection = found.filter(is_visible).ok_or_else(unknown_connection)?;
        member.require_change(&connection)?;
        Ok(connection)
    }
}

fn checked_name(name: &str) -> Result<String> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(is_unprintable) {
        return Err(Error::invalid_param("body", "name", format!("must be 1 to {MAX_NAME} printable characters")));
    }
    Ok(name)
}
