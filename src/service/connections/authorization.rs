//! A person authorizes this service at a provider (contract K2, *State*).

use url::Url;

use super::{
    Connections,
    error::{changed_meanwhile, unknown_connection},
    member::CurrentMember,
    state::{AuthorizationState, STATE_LIFETIME},
    values::MAX_STORE_ATTEMPTS,
};
use crate::{
    domain::{
        Code, Result,
        caller::ConsoleCaller,
        connection::{
            credential::{CredentialType, NewConnection, ReplacedCredentials, Visibility},
            manifest::ProviderManifest,
            provider_key::ProviderKey,
        },
        id::{AccountId, ConnectionId, WorkspaceId},
        secret::Secret,
    },
    ports::{
        connection_backend::{AuthorizationCallback, BackendError, IssuedCredentials},
        credential_cipher::SealedRow,
        nonce_store::NonceKind,
    },
    service::{browser_marks::BrowserMarks, uncancelled::run_uncancelled},
    telemetry::audit::connections::ConnectionEvent,
};

/// An authorization that has begun.
pub struct StartedAuthorization {
    /// The provider's page.
    pub url: Url,
    /// The value of the cookie that binds it to the browser.
    pub marks: Secret,
}

/// What the provider returned through the browser.
pub struct ProviderCallback {
    pub state: String,
    pub code: Option<Secret>,
    pub error: Option<String>,
    pub issuer: Option<String>,
}

/// Why an authorization has not made a connection. The browser gets the word in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationError {
    /// The person has declined.
    AccessDenied,
    /// The state is not valid: unknown, expired, used, or of another browser, account, workspace or provider.
    InvalidState,
    /// The provider has reported another error.
    ProviderError,
    /// The provider cannot be reached.
    ProviderUnavailable,
    /// The provider rejects the code or the client.
    Rejected,
    /// The workspace has no OAuth client any more.
    ClientMissing,
    /// The account is not a member of the workspace any more, or the connection is gone.
    NotMember,
    /// The workspace, or the member, has too many connections to the provider.
    TooMany,
}

impl AuthorizationError {
    pub const ALL: [Self; 8] = [
        Self::AccessDenied,
        Self::InvalidState,
        Self::ProviderError,
        Self::ProviderUnavailable,
        Self::Rejected,
        Self::ClientMissing,
        Self::NotMember,
        Self::TooMany,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidState => "invalid_state",
            Self::ProviderError => "provider_error",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::Rejected => "rejected",
            Self::ClientMissing => "oauth_client_missing",
            Self::NotMember => "not_member",
            Self::TooMany => "too_many",
        }
    }
}

/// A callback whose state was checked and consumed.
struct Admitted {
    key: ProviderKey,
    member: CurrentMember,
    state: AuthorizationState,
}

impl Connections {
    /// Begins an authorization. With `connection` its credentials are replaced, otherwise a new connection is made.
    /// `marks` is the browser's cookie of earlier ones.
    pub async fn start_authorization(
        &self,
        member: CurrentMember,
        key: &ProviderKey,
        connection: Option<ConnectionId>,
        marks: Option<&str>,
    ) -> Result<StartedAuthorization> {
        let manifest = self.oauth_provider(key).await?;
        let client = self.client(member.workspace, key, &manifest).await?;
        if let Some(id) = connection {
            let found = self.dependencies.context.sql.find_connection(member.workspace, id).await?;
            let is_own = |one: &_| member.sees(one) && one.provider == key.to_string();
            let found = found.filter(is_own).ok_or_else(unknown_connection)?;
            member.require_reauthorization(&found)?;
        }
        let (context, keys) = (&self.dependencies.context, &self.dependencies.keys);
        let state = AuthorizationState {
            account: member.account.0,
            workspace: member.workspace.0,
            provider: key.to_string(),
            redirect_uri: self.redirect_uri(key),
            nonce: context.entropy.base64url::<16>()?.expose().to_owned(),
            expires_at: (context.clock.now() + STATE_LIFETIME).timestamp(),
            connection: connection.map(|id| id.0),
        };
        let sealed = state.seal(keys)?;
        let verifier = keys.code_verifier(&state.mark());
        let url = self.dependencies.backend.authorization_url(client.call(member.account), &sealed, &verifier).await?;
        Ok(StartedAuthorization { url, marks: BrowserMarks::parse(marks).with(&state.mark(), keys) })
    }

    /// Completes an authorization: checks and consumes the state, exchanges the code and stores the connection.
    /// `key` is the provider of the callback's path, `signed_in` the account of the browser, if it has a session.
    pub async fn complete_authorization(
        &self,
        key: &ProviderKey,
        callback: ProviderCallback,
        marks: Option<&str>,
        signed_in: Option<&ConsoleCaller>,
    ) -> Result<Result<ConnectionId, AuthorizationError>> {
        let admitted = match self.admit(key, &callback.state, marks, signed_in).await? {
            Ok(admitted) => admitted,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(error) = &callback.error {
            let denied = error == "access_denied";
            return Ok(Err(if denied { AuthorizationError::AccessDenied } else { AuthorizationError::ProviderError }));
        }
        // The code can be exchanged once, so the exchange and the store must not stop halfway.
        let connections = self.clone();
        run_uncancelled(async move { connections.exchange(admitted, callback).await }).await
    }

    /// The page that reports the result of an authorization.
    pub fn result_url(&self, key: &ProviderKey, error: Option<AuthorizationError>) -> String {
        let web = &self.dependencies.settings.web_url;
        match error {
            None => format!("{web}/oauth-callback"),
            Some(error) => format!("{web}/device/connections?error={}&provider={key}", error.as_str()),
        }
    }

    async fn admit(
        &self,
        key: &ProviderKey,
        sealed: &str,
        marks: Option<&str>,
        signed_in: Option<&ConsoleCaller>,
    ) -> Result<Result<Admitted, AuthorizationError>> {
        let (context, keys) = (&self.dependencies.context, &self.dependencies.keys);
        let invalid = Ok(Err(AuthorizationError::InvalidState));
        let Some(state) = AuthorizationState::open(keys, sealed, context.clock.now()) else { return invalid };
        let account = AccountId(state.account);
        let is_bound = state.provider().as_ref() == Some(key)
            && state.redirect_uri == self.redirect_uri(key)
            && BrowserMarks::parse(marks).contain(&state.mark(), keys)
            && signed_in.is_none_or(|caller| caller.account.id == account);
        if !is_bound {
            return invalid;
        }
        let Some(member) = self.find_member(account, WorkspaceId(state.workspace)).await? else {
            return Ok(Err(AuthorizationError::NotMember));
        };
        // Somebody who has switched to another workspace would not find the connection there.
        if let Some(caller) = signed_in
            && self.member(caller).await?.workspace != member.workspace
        {
            return invalid;
        }
        // Consumed only by the browser that it belongs to, so that no other one can spoil it.
        if !self.dependencies.nonces.consume(NonceKind::ConnectionState, &state.nonce).await? {
            return invalid;
        }
        Ok(Ok(Admitted { key: key.clone(), member, state }))
    }

    async fn exchange(
        &self,
        admitted: Admitted,
        callback: ProviderCallback,
    ) -> Result<Result<ConnectionId, AuthorizationError>> {
        let Admitted { key, member, state } = &admitted;
        let manifest = self.oauth_provider(key).await?;
        let Some(client) = self.find_client(member.workspace, key, &manifest).await? else {
            return Ok(Err(AuthorizationError::ClientMissing));
        };
        let Some(code) = &callback.code else { return Ok(Err(AuthorizationError::ProviderError)) };
        let call = client.call(member.account);
        let code_verifier = self.dependencies.keys.code_verifier(&state.mark());
        let answer = AuthorizationCallback {
            code,
            issuer: callback.issuer.as_deref(),
            state: &callback.state,
            code_verifier: &code_verifier,
        };
        let issued = match self.dependencies.backend.exchange(call, answer).await {
            Ok(issued) => issued,
            Err(error) => {
                tracing::warn!(provider = %key, error = &error as &dyn std::error::Error, "an authorization failed");
                return Ok(Err(match error {
                    BackendError::Rejected(_) => AuthorizationError::Rejected,
                    BackendError::WrongIssuer => AuthorizationError::InvalidState,
                    BackendError::Unavailable { .. } => AuthorizationError::ProviderUnavailable,
                    BackendError::InvalidAnswer(_) | BackendError::NotSupported(_) => AuthorizationError::ProviderError,
                }));
            }
        };
        let stored = match state.connection {
            Some(id) => self.store_again(&admitted, ConnectionId(id), &manifest, &issued).await,
            None => self.store_new(&admitted, &manifest, &issued).await,
        };
        match stored {
            Ok(id) => {
                ConnectionEvent::Authorized {
                    connection_id: id,
                    provider: key,
                    workspace_id: member.workspace,
                    account_id: member.account,
                    again: state.connection.is_some(),
                }
                .record();
                Ok(Ok(id))
            }
            Err(error) => {
                let outcome = match error.code() {
                    Code::InvalidParam => AuthorizationError::TooMany,
                    Code::NotFound => AuthorizationError::NotMember,
                    // The credentials may be stored.
                    _ => return Err(error),
                };
                self.revoke_issued(call, &issued).await;
                Ok(Err(outcome))
            }
        }
    }

    async fn store_new(
        &self,
        admitted: &Admitted,
        manifest: &ProviderManifest,
        issued: &IssuedCredentials,
    ) -> Result<ConnectionId> {
        let (context, member) = (&self.dependencies.context, admitted.member);
        let id = ConnectionId(context.entropy.uuid_v4()?);
        let row = SealedRow::Connection { workspace: member.workspace, id };
        let sealed = self.dependencies.cipher.seal(row, &manifest.oauth_fields, &issued.values).await?;
        let now = context.clock.now();
        let new = NewConnection {
            id,
            workspace_id: member.workspace,
            owner: member.account,
            max_of_owner: member.max_connections(),
            provider: admitted.key.to_string(),
            name: None,
            kind: CredentialType::OAuth,
            visibility: Visibility::OnlyMe,
            sealed,
            expires_at: issued.expires_at,
            created_at: now,
        };
        self.insert_row(&new).await?;
        Ok(id)
    }

    /// Replaces the credentials of a connection, whatever they are by now: the new ones are newer.
    async fn store_again(
        &self,
        admitted: &Admitted,
        id: ConnectionId,
        manifest: &ProviderManifest,
        issued: &IssuedCredentials,
    ) -> Result<ConnectionId> {
        let context = &self.dependencies.context;
        for _ in 0..MAX_STORE_ATTEMPTS {
            let found = context.sql.find_connection(admitted.member.workspace, id).await?;
            let connection = found.ok_or_else(unknown_connection)?;
            admitted.member.require_reauthorization(&connection).map_err(|_| unknown_connection())?;
            let new = self.seal(manifest, &connection, &issued.values).await?;
            let replaced = ReplacedCredentials {
                old: &connection.sealed,
                new: &new,
                expires_at: issued.expires_at,
                now: context.clock.now(),
            };
            if self.replace_issued(&connection, &replaced).await?.is_none() {
                self.mark_row_active(&connection).await?;
                return Ok(id);
            }
        }
        Err(changed_meanwhile())
    }
}
