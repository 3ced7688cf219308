//! The identity provider of the built-in OpenID Connect client.

use super::{
    enterprise::EnterpriseConfig,
    mode::Mode,
    reader::Reader,
    settings::{
        SSO_OIDC_ALLOWED_DOMAINS, SSO_OIDC_CLIENT_ID, SSO_OIDC_CLIENT_SECRET, SSO_OIDC_ISSUER, SSO_OIDC_NAME,
        SSO_OIDC_SCOPES,
    },
    urls::is_loopback,
};
use crate::domain::{secret::Secret, text::is_unprintable};

/// Longest name of a provider in characters: it has to fit on a button.
const MAX_NAME: usize = 40;

#[derive(Clone, Debug)]
pub struct OidcProvider {
    /// Exactly as the provider's metadata has it.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// Separated by spaces.
    pub scopes: String,
    /// The text of the button; `None` for a general one.
    pub name: Option<String>,
    /// In lower case. Empty allows every domain.
    pub allowed_domains: Vec<String>,
}

impl OidcProvider {
    /// `None` without an issuer, and where another component signs people in.
    pub(super) fn read(reader: &mut Reader<'_>, mode: Mode, enterprise: &EnterpriseConfig) -> Option<Self> {
        let issuer = read_issuer(reader, mode);
        let client_id = reader.text(&SSO_OIDC_CLIENT_ID);
        let client_secret = reader.secret(&SSO_OIDC_CLIENT_SECRET);
        let scopes = read_scopes(reader);
        let name = read_name(reader);
        let allowed_domains = read_domains(reader);
        let issuer = issuer?;
        if !enterprise.enabled {
            reader.warning(&SSO_OIDC_ISSUER, "has no effect without ENTERPRISE_ENABLED=true");
            return None;
        }
        if enterprise.service.is_some() {
            reader.warning(
                &SSO_OIDC_ISSUER,
                "has no effect beside ENTERPRISE_API_URL, whose service signs people in; remove one of them",
            );
            return None;
        }
        for (setting, is_missing) in
            [(&SSO_OIDC_CLIENT_ID, client_id.is_none()), (&SSO_OIDC_CLIENT_SECRET, client_secret.is_none())]
        {
            if is_missing {
                reader.problem(
                    setting,
                    "is not set although SSO_OIDC_ISSUER is; copy it from the registration at the identity provider",
                );
            }
        }
        Some(Self { issuer, client_id: client_id?, client_secret: client_secret?, scopes, name, allowed_domains })
    }
}

fn read_issuer(reader: &mut Reader<'_>, mode: Mode) -> Option<String> {
    let url = reader.http_url(&SSO_OIDC_ISSUER)?;
    if url.query().is_some() || url.fragment().is_some() {
        reader.problem(&SSO_OIDC_ISSUER, "has a query or fragment; write it like https://idp.example.com");
    }
    if url.scheme() == "http" && !is_loopback(&url) && !mode.is_development() {
        reader.problem(&SSO_OIDC_ISSUER, "is plain http, so that anyone on the network can sign in; use https");
    }
    reader.text(&SSO_OIDC_ISSUER)
}

fn read_scopes(reader: &mut Reader<'_>) -> String {
    let scopes = reader.text(&SSO_OIDC_SCOPES).unwrap_or_default();
    let words: Vec<_> = scopes.split_whitespace().collect();
    if !words.contains(&"openid") || !words.contains(&"email") {
        reader.problem(
            &SSO_OIDC_SCOPES,
            format_args!("is `{scopes}`; it has to contain `openid` and `email`, like `openid email profile`"),
        );
    }
    words.join(" ")
}

fn read_name(reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.text(&SSO_OIDC_NAME)?;
    if name.chars().count() > MAX_NAME || name.chars().any(is_unprintable) {
        reader.problem(
            &SSO_OIDC_NAME,
            format_args!("is too long or has invisible characters; write a name of at most {MAX_NAME} characters"),
        );
    }
    Some(name)
}

fn read_domains(reader: &mut Reader<'_>) -> Vec<String> {
    let mut domains = Vec::new();
    for domain in reader.list(&SSO_OIDC_ALLOWED_DOMAINS) {
        if domain.contains(['@', '*', '/', ' ']) {
            reader.problem(
                &SSO_OIDC_ALLOWED_DOMAINS,
                format_args!("contains `{domain}`; write domains like example.com,example.org"),
            );
        }
        domains.push(domain.to_lowercase());
    }
    domains
}
