//! `TokenService`: introspection for internal services, with the steps of a bearer request.

use tonic::{Request, Response, Status, async_trait};

use super::{proto, services::Rpc};
use crate::domain::{Code, Error, scope, secret::BearerToken, session::TokenContext};

#[async_trait]
impl proto::token_service_server::TokenService for Rpc {
    async fn introspect_token(
        &self,
        request: Request<proto::IntrospectTokenRequest>,
    ) -> Result<Response<proto::IntrospectTokenResponse>, Status> {
        let token = &request.get_ref().token;
        if token.is_empty() {
            return Err(Error::missing("token").into());
        }
        match self.resolve(token).await {
            Ok(context) => Ok(Response::new(self.introspection(context))),
            // An error of the token means inactive. An error of a store is returned.
            Err(error) if is_dead(error.code()) => Ok(Response::new(proto::IntrospectTokenResponse::default())),
            Err(error) => Err(error.into()),
        }
    }

    async fn check_access_token(
        &self,
        request: Request<proto::CheckAccessTokenRequest>,
    ) -> Result<Response<proto::CheckAccessTokenResponse>, Status> {
        let token = &request.get_ref().token;
        if token.is_empty() {
            return Err(Error::missing("token").into());
        }
        let context = self.resolve(token).await?;
        let subject = &context.subject;
        let account_id = subject.account_id();
        let tenant_id = match account_id {
            Some(account) => self.services.identity.default_workspace(account).await?,
            None => None,
        };
        Ok(Response::new(proto::CheckAccessTokenResponse {
            account_id: account_id.map(|id| id.to_string()),
            tenant_id: tenant_id.map(|id| id.to_string()),
            subject_type: proto::SubjectType::from(subject.subject_type()).into(),
            scope: scope::scope_string(subject.subject_type()).to_owned(),
            expires_at: context.expires_at.timestamp(),
            subject_email: subject.email().to_owned(),
            subject_issuer: subject.wire_issuer().map(str::to_owned),
            client_id: context.client_id,
        }))
    }

    async fn resolve_token(
        &self,
        request: Request<proto::ResolveTokenRequest>,
    ) -> Result<Response<proto::ResolveTokenResponse>, Status> {
        let token = &request.get_ref().token;
        if token.is_empty() {
            return Err(Error::missing("token").into());
        }
        let context = self.resolve(token).await?;
        let subject = &context.subject;
        Ok(Response::new(proto::ResolveTokenResponse {
            subject_type: proto::SubjectType::from(subject.subject_type()).into(),
            subject_email: subject.email().to_owned(),
            subject_issuer: subject.wire_issuer().map(str::to_owned),
            account_id: subject.account_id().map(|id| id.to_string()),
            scope: scope::scopes_of(subject.subject_type()).iter().map(|scope| scope.as_str().to_owned()).collect(),
            token_id: context.token_id.to_string(),
            expires_at: Some(context.expires_at.into()),
            client_id: context.client_id,
        }))
    }
}

fn is_dead(code: Code) -> bool {
    matches!(code, Code::BearerInvalid | Code::BearerExpired | Code::UnknownTokenPrefix | Code::InvalidPrefix)
}

impl Rpc {
    async fn resolve(&self, token: &str) -> Result<TokenContext, Error> {
        self.services.bearers.resolve(&BearerToken::parse(token)?).await
    }

    fn introspection(&self, context: TokenContext) -> proto::IntrospectTokenResponse {
        let subject = &context.subject;
        let account_id = subject.account_id().map(|id| id.to_string());
        proto::IntrospectTokenResponse {
            active: true,
            scope: Some(scope::scope_string(subject.subject_type()).to_owned()),
            username: Some(subject.email().to_owned()),
            token_type: Some("Bearer".to_owned()),
            exp: Some(context.expires_at.timestamp()),
            sub: Some(account_id.clone().unwrap_or_else(|| subject.email().to_owned())),
            iss: Some(self.services.about.issuer.clone()),
            subject_type: Some(proto::SubjectType::from(subject.subject_type()).into()),
            account_id,
            subject_email: Some(subject.email().to_owned()),
            subject_issuer: subject.wire_issuer().map(str::to_owned),
            token_id: Some(context.token_id.to_string()),
            client_id: Some(context.client_id),
        }
    }
}
