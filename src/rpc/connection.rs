//! `ConnectionService`: current credentials for internal services.

use tonic::{Request, Response, Status, async_trait};

use super::{
    connection_console::{provider_key, values},
    proto,
    reply::success,
    services::Rpc,
};
use crate::{
    domain::{
        Error, Result,
        connection::{credential::Connection, provider_key::ProviderKey},
        id::{AccountId, WorkspaceId},
    },
    service::connections::current::{CredentialSelection, CurrentCredentials},
};

fn workspace(tenant_id: &str) -> Result<WorkspaceId> {
    if tenant_id.is_empty() {
        return Err(Error::missing("tenant_id"));
    }
    tenant_id.parse().map_err(|_| Error::invalid_param("body", "tenant_id", "must be a UUID"))
}

fn account(account_id: Option<&str>) -> Result<Option<AccountId>> {
    let parse = |text: &str| text.parse().map_err(|_| Error::invalid_param("body", "account_id", "must be a UUID"));
    account_id.map(parse).transpose()
}

fn provider(text: &str) -> Result<ProviderKey> {
    text.parse().map_err(|error| Error::invalid_param("body", "provider", format!("{error}")))
}

fn selection(
    tenant_id: &str,
    provider_text: &str,
    credential_id: Option<&str>,
    account_id: Option<&str>,
) -> Result<CredentialSelection> {
    if provider_text.is_empty() {
        return Err(Error::missing("provider"));
    }
    let connection = credential_id
        .map(|text| text.parse().map_err(|_| Error::invalid_param("body", "credential_id", "must be a UUID")))
        .transpose()?;
    Ok(CredentialSelection {
        workspace: workspace(tenant_id)?,
        provider: provider(provider_text)?,
        connection,
        account: account(account_id)?,
    })
}

fn current(current: CurrentCredentials) -> proto::GetCredentialsResponse {
    let connection = current.connection;
    proto::GetCredentialsResponse {
        credential_id: connection.id.to_string(),
        credential_type: connection.kind.as_str().to_owned(),
        values: Some(current.values.expose().clone().into()),
        expires_at: connection.expires_at,
        owner: connection.owner.to_string(),
        visibility: connection.visibility.as_str().to_owned(),
    }
}

fn summary(connection: Connection) -> proto::ConnectionSummary {
    proto::ConnectionSummary {
        credential_id: connection.id.to_string(),
        name: connection.name,
        provider: connection.provider,
        credential_type: connection.kind.as_str().to_owned(),
        expires_at: connection.expires_at,
        owner: connection.owner.to_string(),
        visibility: connection.visibility.as_str().to_owned(),
        is_default: connection.is_default,
        status: connection.health.status.as_str().to_owned(),
        reason: connection.health.reason.map(|reason| reason.as_str().to_owned()),
    }
}

#[async_trait]
impl proto::connection_service_server::ConnectionService for Rpc {
    async fn get_credentials(
        &self,
        request: Request<proto::GetCredentialsRequest>,
    ) -> Result<Response<proto::GetCredentialsResponse>, Status> {
        let message = request.get_ref();
        let selection = selection(
            &message.tenant_id,
            &message.provider,
            message.credential_id.as_deref(),
            message.account_id.as_deref(),
        )?;
        Ok(Response::new(current(self.services.connections.current(&selection, "service").await?)))
    }

    async fn list_connections(
        &self,
        request: Request<proto::ListConnectionsRequest>,
    ) -> Result<Response<proto::ListConnectionsResponse>, Status> {
        let message = request.get_ref();
        let key = message.provider.as_deref().map(provider).transpose()?;
        let (workspace, account) = (workspace(&message.tenant_id)?, account(message.account_id.as_deref())?);
        let found = self.services.connections.list_for_service(workspace, key.as_ref(), account).await?;
        let connections = found.into_iter().map(summary).collect();
        Ok(Response::new(proto::ListConnectionsResponse { connections }))
    }

    async fn report_invalid(
        &self,
        request: Request<proto::ReportInvalidRequest>,
    ) -> Result<Response<proto::ReportInvalidResponse>, Status> {
        let message = request.get_ref();
        let selection = selection(
            &message.tenant_id,
            &message.provider,
            message.credential_id.as_deref(),
            message.account_id.as_deref(),
        )?;
        let refreshed = current(self.services.connections.report_invalid(&selection).await?);
        Ok(Response::new(proto::ReportInvalidResponse {
            credential_id: refreshed.credential_id,
            credential_type: refreshed.credential_type,
            values: refreshed.values,
            expires_at: refreshed.expires_at,
            owner: refreshed.owner,
            visibility: refreshed.visibility,
        }))
    }

    async fn set_system_client(
        &self,
        mut request: Request<proto::SetSystemClientRequest>,
    ) -> Result<Response<proto::SetSystemClientResponse>, Status> {
        let message = std::mem::take(request.get_mut());
        let params = values(message.client_params.ok_or_else(|| Error::missing("client_params"))?);
        let key = provider_key(&message.organization, &message.plugin, &message.provider)?;
        self.services.connections.put_system_client(&key, &params).await?;
        Ok(Response::new(proto::SetSystemClientResponse { result: success() }))
    }
}
