//! `ConnectionConsoleService`.

use serde_json::{Map, Value};
use tonic::{Request, Response, Status, async_trait};

use super::{
    json::Object,
    proto,
    reply::{CONNECTION_CONTEXT, Redirect, SetCookies, success},
    request::{console_caller, cookie},
    services::Rpc,
};
use crate::{
    domain::{
        Code, Error, Result,
        caller::ConsoleCaller,
        connection::{
            credential::{CredentialType, Visibility},
            field::CredentialField,
            provider_key::ProviderKey,
            values::CredentialValues,
        },
        id::ConnectionId,
        secret::Secret,
        stored::StoredWord as _,
    },
    service::connections::{
        authorization::ProviderCallback,
        manage::{ConnectionView, EnteredConnection, EnteredUpdate},
        member::CurrentMember,
    },
};

/// The provider of a request's path.
macro_rules! key {
    ($message:expr) => {
        provider_key(&$message.organization, &$message.plugin, &$message.provider)
    };
}

pub(super) fn provider_key(organization: &str, plugin: &str, provider: &str) -> Result<ProviderKey> {
    ProviderKey::from_segments(organization, plugin, provider)
        .map_err(|error| Error::not_found("There is no such provider.").with_hint(error.to_string()))
}

pub(super) fn values(object: Object) -> CredentialValues {
    CredentialValues::new(object.into_members())
}

fn connection_id(text: &str) -> Result<ConnectionId> {
    text.parse().map_err(|_| Error::not_found("There is no such connection."))
}

fn visibility(word: Option<&str>) -> Result<Option<Visibility>> {
    let parse = |word| {
        Visibility::parse(word)
            .ok_or_else(|| Error::invalid_param("body", "visibility", "must be only_me or all_team_members"))
    };
    word.map(parse).transpose()
}

fn schema(fields: &[CredentialField]) -> Vec<Object> {
    let object = |field| match serde_json::to_value(field) {
        Ok(Value::Object(members)) => Object::from(members),
        _ => Object::from(Map::new()),
    };
    fields.iter().map(object).collect()
}

fn credential(view: ConnectionView) -> proto::ToolCredential {
    let connection = view.connection;
    proto::ToolCredential {
        id: connection.id.to_string(),
        name: connection.name,
        provider: connection.provider,
        credential_type: connection.kind.as_str().to_owned(),
        is_default: connection.is_default,
        credentials: Some(view.values.into()),
        visibility: connection.visibility.as_str().to_owned(),
        created_by: connection.owner.to_string(),
        created_at: connection.created_at.timestamp(),
        expires_at: connection.expires_at,
        status: connection.health.status.as_str().to_owned(),
        reason: connection.health.reason.map(|reason| reason.as_str().to_owned()),
    }
}

impl Rpc {
    async fn member<T>(&self, request: &Request<T>) -> Result<CurrentMember> {
        self.services.connections.member(console_caller(request)?).await
    }
}

#[async_trait]
impl proto::connection_console_service_server::ConnectionConsoleService for Rpc {
    async fn start_connection(
        &self,
        request: Request<proto::StartConnectionRequest>,
    ) -> Result<Response<proto::StartConnectionResponse>, Status> {
        let member = self.member(&request).await?;
        let (message, marks) = (request.get_ref(), cookie(&request, CONNECTION_CONTEXT));
        let connection = message.credential_id.as_deref().map(connection_id).transpose()?;
        let key = key!(message)?;
        let started = self.services.connections.start_authorization(member, &key, connection, marks).await?;
        let mut response = Response::new(proto::StartConnectionResponse { authorization_url: started.url.into() });
        let cookie = self.services.cookies.connection_context(&started.marks);
        response.extensions_mut().insert(SetCookies(vec![cookie]));
        Ok(response)
    }

    async fn complete_connection(
        &self,
        mut request: Request<proto::CompleteConnectionRequest>,
    ) -> Result<Response<proto::CompleteConnectionResponse>, Status> {
        let message = std::mem::take(request.get_mut());
        let key = key!(message)?;
        if message.state.is_empty() {
            return Err(Error::missing_in("query", "state").into());
        }
        let callback = ProviderCallback {
            state: message.state,
            code: message.code.map(Secret::new),
            error: message.error,
            issuer: message.iss,
        };
        let marks = cookie(&request, CONNECTION_CONTEXT);
        let signed_in = request.extensions().get::<ConsoleCaller>();
        let connections = &self.services.connections;
        let completed = connections.complete_authorization(&key, callback, marks, signed_in).await?;
        let mut response = Response::new(proto::CompleteConnectionResponse {});
        response.extensions_mut().insert(Redirect(connections.result_url(&key, completed.err())));
        Ok(response)
    }

    async fn get_o_auth_client_schema(
        &self,
        request: Request<proto::GetOAuthClientSchemaRequest>,
    ) -> Result<Response<proto::GetOAuthClientSchemaResponse>, Status> {
        let member = self.member(&request).await?;
        let view = self.services.connections.client_view(member, &key!(request.get_ref())?).await?;
        Ok(Response::new(proto::GetOAuthClientSchemaResponse {
            schema: schema(&view.fields),
            is_oauth_custom_client_enabled: view.is_custom_enabled,
            is_system_oauth_params_exists: view.has_system_client,
            client_params: Some(view.params.into()),
            redirect_uri: view.redirect_uri,
        }))
    }

    async fn set_o_auth_client(
        &self,
        mut request: Request<proto::SetOAuthClientRequest>,
    ) -> Result<Response<proto::SetOAuthClientResponse>, Status> {
        let member = self.member(&request).await?;
        let message = std::mem::take(request.get_mut());
        let (key, params) = (key!(message)?, message.client_params.map(values));
        let enabled = message.enable_oauth_custom_client;
        self.services.connections.put_client(member, &key, params.as_ref(), enabled).await?;
        Ok(Response::new(proto::SetOAuthClientResponse { result: success() }))
    }

    async fn get_o_auth_client(
        &self,
        request: Request<proto::GetOAuthClientRequest>,
    ) -> Result<Response<proto::GetOAuthClientResponse>, Status> {
        let member = self.member(&request).await?;
        let view = self.services.connections.client_view(member, &key!(request.get_ref())?).await?;
        Ok(Response::new(proto::GetOAuthClientResponse {
            client_params: Some(view.params.into()),
            enable_oauth_custom_client: view.is_custom_enabled,
        }))
    }

    async fn delete_o_auth_client(
        &self,
        request: Request<proto::DeleteOAuthClientRequest>,
    ) -> Result<Response<proto::DeleteOAuthClientResponse>, Status> {
        let member = self.member(&request).await?;
        self.services.connections.delete_client(member, &key!(request.get_ref())?).await?;
        Ok(Response::new(proto::DeleteOAuthClientResponse { result: success() }))
    }

    async fn list_credentials(
        &self,
        request: Request<proto::ListCredentialsRequest>,
    ) -> Result<Response<proto::ListCredentialsResponse>, Status> {
        let (member, key) = (self.member(&request).await?, key!(request.get_ref())?);
        let connections = &self.services.connections;
        let (manifest, views) = connections.list(member, &key).await?;
        let kinds = [
            (manifest.supports_api_keys(), CredentialType::ApiKey),
            (manifest.supports_oauth(), CredentialType::OAuth),
        ];
        let supported = kinds.into_iter().filter(|(supported, _)| *supported);
        Ok(Response::new(proto::ListCredentialsResponse {
            supported_credential_types: supported.map(|(_, kind)| kind.as_str().to_owned()).collect(),
            is_oauth_custom_client_enabled: connections.has_custom_client(member, &key).await?,
            credentials: views.into_iter().map(credential).collect(),
        }))
    }

    async fn get_credential_schema(
        &self,
        request: Request<proto::GetCredentialSchemaRequest>,
    ) -> Result<Response<proto::GetCredentialSchemaResponse>, Status> {
        self.member(&request).await?;
        let message = request.get_ref();
        let kind = CredentialType::parse(&message.credential_type)
            .ok_or_else(|| Error::not_found("There is no such kind of credentials."))?;
        let fields = self.services.connections.credential_fields(&key!(message)?, kind).await?;
        Ok(Response::new(proto::GetCredentialSchemaResponse { schema: schema(&fields) }))
    }

    async fn add_credential(
        &self,
        mut request: Request<proto::AddCredentialRequest>,
    ) -> Result<Response<proto::AddCredentialResponse>, Status> {
        let member = self.member(&request).await?;
        let message = std::mem::take(request.get_mut());
        if message.r#type.as_deref().is_some_and(|kind| kind != CredentialType::ApiKey.as_str()) {
            let error = Error::new(Code::InvalidRequest, "Only API keys can be added; authorize OAuth connections.");
            return Err(error.into());
        }
        let entered = EnteredConnection {
            values: values(message.credentials.ok_or_else(|| Error::missing("credentials"))?),
            name: message.name.filter(|name| !name.is_empty()),
            visibility: visibility(message.visibility.as_deref())?.unwrap_or(Visibility::OnlyMe),
        };
        let key = provider_key(&message.organization, &message.plugin, &message.provider)?;
        self.services.connections.add(member, &key, entered).await?;
        Ok(Response::new(proto::AddCredentialResponse { result: success() }))
    }

    async fn update_credential(
        &self,
        mut request: Request<proto::UpdateCredentialRequest>,
    ) -> Result<Response<proto::UpdateCredentialResponse>, Status> {
        let member = self.member(&request).await?;
        let message = std::mem::take(request.get_mut());
        let (key, id) = (key!(message)?, required_id("credential_id", &message.credential_id)?);
        let entered = EnteredUpdate {
            values: message.credentials.map(values),
            name: message.name,
            visibility: visibility(message.visibility.as_deref())?,
        };
        self.services.connections.update(member, &key, id, entered).await?;
        Ok(Response::new(proto::UpdateCredentialResponse { result: success() }))
    }

    async fn delete_credential(
        &self,
        request: Request<proto::DeleteCredentialRequest>,
    ) -> Result<Response<proto::DeleteCredentialResponse>, Status> {
        let member = self.member(&request).await?;
        let message = request.get_ref();
        let (key, id) = (key!(message)?, required_id("credential_id", &message.credential_id)?);
        self.services.connections.delete(member, &key, id).await?;
        Ok(Response::new(proto::DeleteCredentialResponse { result: success() }))
    }

    async fn set_default_credential(
        &self,
        request: Request<proto::SetDefaultCredentialRequest>,
    ) -> Result<Response<proto::SetDefaultCredentialResponse>, Status> {
        let member = self.member(&request).await?;
        let message = request.get_ref();
        let (key, id) = (key!(message)?, required_id("id", &message.id)?);
        self.services.connections.make_default(member, &key, id).await?;
        Ok(Response::new(proto::SetDefaultCredentialResponse { result: success() }))
    }
}

fn required_id(member: &'static str, text: &str) -> Result<ConnectionId> {
    if text.is_empty() { Err(Error::missing(member)) } else { connection_id(text) }
}
