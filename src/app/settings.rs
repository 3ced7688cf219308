//! Converts the configuration into the settings type of each part.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    config::{Config, mode::Mode},
    http::pages::PageSettings,
    pipeline::PipelineSettings,
    rpc::{
        About,
        reply::{ACCESS_TOKEN, CSRF_TOKEN, CookieSettings},
    },
    service::{console::ConsoleSettings, device_flow::DeviceFlowSettings},
};

pub(super) fn console(config: &Config, standalone: bool) -> ConsoleSettings {
    ConsoleSettings {
        access_lifetime: delta(config.console.access_lifetime),
        refresh_lifetime: delta(config.console.refresh_lifetime),
        standalone,
    }
}

pub(super) fn device_flow(config: &Config) -> DeviceFlowSettings {
    DeviceFlowSettings {
        known_clients: config.oauth.known_client_ids.clone(),
        bearers_enabled: config.oauth.bearer_enabled,
        enterprise: config.enterprise.enabled,
    }
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
        edition: if config.enterprise.enabled { "ENTERPRISE" } else { "SELF_HOSTED" },
        issuer: config.urls.issuer().to_owned(),
        verification_uri_complete: config.oauth.verification_uri_complete,
    }
}

pub(super) fn pages(config: &Config, standalone: bool) -> PageSettings {
    let issuer = config.urls.issuer();
    PageSettings {
        standalone,
        issuer: issuer.to_owned(),
        console_sign_in_url: (!standalone).then(|| format!("{issuer}/signin")),
        prefill_links: config.oauth.verification_uri_complete,
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
    if config.deployment.mode == Mode::Dev {
        let port = config.listeners.public.port();
        origins.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("http://{host}:{port}")));
    }
    origins
}
