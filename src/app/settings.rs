//! Converts the configuration into the settings type of each part.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

use crate::{
    config::{Config, mode::Mode, plugin_daemon::PluginDaemon, single_sign_on::OidcProvider},
    connections::plugin_daemon::PluginDaemonSettings,
    domain::client_commands::ClientCommands,
    enterprise::oidc::OidcSettings,
    http::pages::PageSettings,
    http_client::HttpClients,
    pipeline::PipelineSettings,
    rpc::{
        About,
        reply::{ACCESS_TOKEN, CSRF_TOKEN, CookieSettings},
    },
    service::{
        connections::ConnectionSettings, console::ConsoleSettings, device_flow::DeviceFlowSettings, file::FileSettings,
        member::MemberSettings, single_sign_on::SingleSignOnSettings, token_issuer::TokenIssuerSettings,
    },
    telemetry::metrics::Metrics,
};

/// The path that identity providers return people to.
const SSO_COMPLETE: &str = "/openapi/v1/oauth/device/sso-complete";

pub(super) fn console(config: &Config, standalone: bool) -> ConsoleSettings {
    ConsoleSettings {
        access_lifetime: delta(config.console.access_lifetime),
        refresh_lifetime: delta(config.console.refresh_lifetime),
        standalone,
    }
}

/// The commands with which clients sign in to this server.
pub(super) fn client_commands(config: &Config) -> Arc<ClientCommands> {
    let oauth = &config.oauth;
    Arc::new(ClientCommands::new(config.urls.issuer(), &oauth.known_client_ids, &oauth.client_commands))
}

pub(super) fn device_flow(config: &Config, client_commands: Arc<ClientCommands>) -> DeviceFlowSettings {
    DeviceFlowSettings {
        known_clients: config.oauth.known_client_ids.clone(),
        client_commands,
        bearers_enabled: config.oauth.bearer_enabled,
        enterprise: config.enterprise.enabled,
    }
}

pub(super) fn single_sign_on(config: &Config, standalone: bool) -> SingleSignOnSettings {
    let (web, api) = (config.urls.issuer(), config.urls.api_url());
    SingleSignOnSettings {
        callback_url: format!("{api}{SSO_COMPLETE}"),
        issuer: api.to_owned(),
        pages_url: (web != api).then(|| web.to_owned()),
        // The cookies of a session are set on the host of the callback.
        accounts: standalone && web == api,
    }
}

/// Whether connections are served.
pub(super) fn serves_connections(config: &Config, standalone: bool) -> bool {
    standalone || config.deployment.connections
}

pub(super) fn connections(config: &Config) -> ConnectionSettings {
    ConnectionSettings { api_url: config.urls.api_url().to_owned(), web_url: config.urls.issuer().to_owned() }
}

pub(super) fn plugin_daemon(daemon: &PluginDaemon, metrics: &Metrics, clients: &HttpClients) -> PluginDaemonSettings {
    PluginDaemonSettings {
        url: daemon.url.clone(),
        key: daemon.key.clone(),
        metrics: Arc::clone(&metrics.upstreams),
        clients: clients.clone(),
    }
}

/// The client of the built-in identity provider.
pub(super) fn oidc(config: &Config, provider: &OidcProvider) -> OidcSettings {
    OidcSettings {
        issuer: provider.issuer.clone(),
        client_id: provider.client_id.clone(),
        client_secret: provider.client_secret.clone(),
        scopes: provider.scopes.clone(),
        name: provider.name.clone(),
        allowed_domains: provider.allowed_domains.clone(),
        redirect_uri: format!("{}{SSO_COMPLETE}", config.urls.api_url()),
    }
}

pub(super) fn members(config: &Config, standalone: bool) -> MemberSettings {
    MemberSettings {
        standalone,
        enterprise: config.enterprise.enabled,
        sign_in_url: format!("{}/signin", config.urls.issuer()),
    }
}

pub(super) fn files(config: &Config) -> FileSettings {
    FileSettings {
        limits: config.files.limits.clone(),
        api_url: config.urls.api_url().to_owned(),
        preview_lifetime: delta(config.files.preview_lifetime),
    }
}

pub(super) fn token_issuer(config: &Config) -> TokenIssuerSettings {
    TokenIssuerSettings { bearers_enabled: config.oauth.bearer_enabled, enterprise: config.enterprise.enabled }
}

pub(super) fn cookies(config: &Config, standalone: bool) -> CookieSettings {
    CookieSettings {
        secure: config.urls.is_secure(),
        domain: config.urls.cookie_domain.clone(),
        host_prefix: !config.urls.cookie_prefix(!standalone).is_empty(),
        access_lifetime: delta(config.console.access_lifetime),
        refresh_lifetime: delta(config.console.refresh_lifetime),
    }
}

pub(super) fn pipeline(config: &Config, standalone: bool, cookies: &CookieSettings) -> PipelineSettings {
    PipelineSettings {
        bearers_enabled: config.oauth.bearer_enabled,
        enterprise: config.enterprise.enabled,
        standalone,
        connections: serves_connections(config, standalone),
        service_key: config.secrets.inner_api_key.clone(),
        origins: own_origins(config),
        cross_origins: config.cors.listed(),
        access_cookie: cookies.name(ACCESS_TOKEN),
        csrf_cookie: cookies.name(CSRF_TOKEN),
    }
}

pub(super) fn about(config: &Config) -> About {
    About {
        version: config.deployment.dify_version.clone(),
        enterprise: config.enterprise.enabled,
        issuer: config.urls.issuer().to_owned(),
        verification_uri_complete: config.oauth.verification_uri_complete,
    }
}

pub(super) fn pages(config: &Config, standalone: bool, client_commands: Arc<ClientCommands>) -> PageSettings {
    let issuer = config.urls.issuer();
    PageSettings {
        enterprise: config.enterprise.enabled,
        standalone,
        connections: serves_connections(config, standalone),
        issuer: issuer.to_owned(),
        console_sign_in_url: (!standalone).then(|| format!("{issuer}/signin")),
        api_url: (config.urls.api_url() != issuer).then(|| config.urls.api_url().to_owned()),
        prefill_links: config.oauth.verification_uri_complete,
        client_commands,
        api_reference: config.deployment.api_reference,
        branding: Arc::clone(&config.branding),
    }
}

/// The lifetime of tokens without a policy of the enterprise service.
pub(super) fn token_lifetime(config: &Config) -> TimeDelta {
    delta(config.oauth.token_lifetime)
}

/// The time that ended sessions are kept; `None` when they are never deleted.
pub(super) fn retention(config: &Config) -> Option<TimeDelta> {
    config.oauth.clean_enabled.then_some(delta(config.oauth.retention))
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// The origins of this server's pages. `dev` is reached by name and by address.
fn own_origins(config: &Config) -> Vec<String> {
    let mut origins = vec![config.urls.issuer().to_owned()];
    if config.urls.api_url() != config.urls.issuer() {
        // The page on which external identities decide is on the host of the API.
        origins.push(config.urls.api_url().to_owned());
    }
    if config.deployment.mode == Mode::Dev {
        let port = config.listeners.public.port();
        origins.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("http://{host}:{port}")));
    }
    origins
}
