//! The credentials of the matrix. Those that a request uses up are created for each cell.

use dify_openapi::testing::domain::SubjectType;

use crate::support::{
    Browser, TestServer, database,
    server::{OWNER, SERVICE_KEY},
};

/// The columns of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nothing,
    AnotherScheme,
    AppKey,
    UnknownPrefix,
    WrongShape,
    UnknownToken,
    RevokedToken,
    ExpiredToken,
    AccountToken,
    ExternalToken,
    CookieWithoutCsrf,
    CookieFromAForeignOrigin,
    CookieWithAnotherCsrf,
    Cookie,
    CookieThatDoesNotHold,
    WrongServiceKey,
    ServiceKey,
}

impl Kind {
    /// In the order of the matrix columns.
    pub const ALL: [Self; 17] = [
        Self::Nothing,
        Self::AnotherScheme,
        Self::AppKey,
        Self::UnknownPrefix,
        Self::WrongShape,
        Self::UnknownToken,
        Self::RevokedToken,
        Self::ExpiredToken,
        Self::AccountToken,
        Self::ExternalToken,
        Self::CookieWithoutCsrf,
        Self::CookieFromAForeignOrigin,
        Self::CookieWithAnotherCsrf,
        Self::Cookie,
        Self::CookieThatDoesNotHold,
        Self::WrongServiceKey,
        Self::ServiceKey,
    ];
}

/// Creates credentials on one server.
pub struct Credentials<'a> {
    server: &'a TestServer,
    account: String,
}

impl<'a> Credentials<'a> {
    /// Credentials of the owner and of an external identity.
    pub async fn new(server: &'a TestServer) -> Self {
        Self { server, account: database::account_id(server, OWNER).await }
    }

    /// The headers of a credential.
    pub async fn headers(&self, kind: Kind) -> Vec<(&'static str, String)> {
        let bearer = |token: &str| vec![("authorization", format!("Bearer {token}"))];
        match kind {
            Kind::Nothing => vec![],
            Kind::AnotherScheme => vec![("authorization", "Token abc".to_owned())],
            Kind::AppKey => bearer("app-0123456789abcdefghij"),
            Kind::UnknownPrefix => bearer("dfp_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"),
            Kind::WrongShape => bearer("dfoa_tooshort"),
            Kind::UnknownToken => bearer(&format!("dfoa_{:043}", rand::random::<u64>())),
            Kind::RevokedToken => bearer(&self.account_token(3_600, true).await),
            Kind::ExpiredToken => bearer(&self.account_token(-1, false).await),
            Kind::AccountToken => bearer(&self.account_token(3_600, false).await),
            Kind::ExternalToken => {
                let label = uuid::Uuid::new_v4().to_string();
                bearer(&database::external_token(self.server, "eve@idp.example", &label).await.0)
            }
            Kind::CookieWithoutCsrf => self.cookie("", &[]).await,
            Kind::CookieFromAForeignOrigin => self.cookie("=", &[("origin", "https://evil.example")]).await,
            Kind::CookieWithAnotherCsrf => self.cookie("another", &[]).await,
            Kind::Cookie => self.cookie("=", &[("origin", &self.server.url)]).await,
            Kind::CookieThatDoesNotHold => {
                let cookies = "access_token=not.a.jwt; csrf_token=abc; refresh_token=abc".to_owned();
                vec![("cookie", cookies), ("x-csrf-token", "abc".to_owned())]
            }
            Kind::WrongServiceKey => vec![("enterprise-api-secret-key", "wrong".to_owned())],
            Kind::ServiceKey => vec![("enterprise-api-secret-key", SERVICE_KEY.to_owned())],
        }
    }

    async fn account_token(&self, expires_in: i64, revoked: bool) -> String {
        let label = uuid::Uuid::new_v4().to_string();
        let row = database::TokenRow {
            subject_type: SubjectType::Account,
            account_id: Some(&self.account),
            email: OWNER,
            label: &label,
            expires_in,
            revoked,
        };
        database::insert_token(self.server, &row).await.0
    }

    /// Cookies and a CSRF header: no header for an empty `csrf`, the correct token for `=`.
    async fn cookie(&self, csrf: &str, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let browser = Browser::signed_in(self.server, OWNER).await;
        let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers = vec![("cookie", cookies.join("; "))];
        match csrf {
            "" => {}
            "=" => headers.push(("x-csrf-token", browser.cookies["csrf_token"].clone())),
            other => headers.push(("x-csrf-token", other.to_owned())),
        }
        headers.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        headers
    }
}
