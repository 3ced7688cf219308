//! The effective configuration as `check-config` prints it, without secrets.

use std::{fmt::Display, path::PathBuf, time::Duration};

use super::{
    cors::AllowOrigins,
    environment::Config,
    files::FileStorage,
    otlp::OtlpSignal,
    redis::Redis,
    settings::{self, Setting},
    telemetry::LogFormat,
    tls::TlsFiles,
};
use crate::{
    domain::limit::{LimitName, Quota},
    memory::{CountLimits, MemoryKind, MemoryLedger, available::MemorySource},
    ports::sql_pooling::SqlPooling,
};

impl Config {
    /// The settings and their effective values. Secrets are redacted.
    pub fn describe(&self) -> Vec<(&'static Setting, String)> {
        let mut rows = deployment(self);
        rows.extend(stores(self));
        rows.extend(tokens(self));
        rows.extend(memory(self));
        rows.extend(runs(self));
        rows.extend(files(self));
        rows.extend(integrations(self));
        rows
    }
}

fn deployment(config: &Config) -> Vec<(&'static Setting, String)> {
    let (deployment, listeners, urls) = (&config.deployment, &config.listeners, &config.urls);
    let proxies = listeners.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let path = |files: &Option<TlsFiles>, path: fn(&TlsFiles) -> Option<&PathBuf>| {
        or_off(files.as_ref().and_then(path).map(|path| path.display()))
    };
    vec![
        (&settings::DEPLOY_ENV, if deployment.mode.is_development() { "DEVELOPMENT" } else { "PRODUCTION" }.to_owned()),
        (&settings::CONSOLE_WEB_URL, urls.issuer().to_owned()),
        (&settings::CONSOLE_API_URL, urls.api_url().to_owned()),
        (&settings::COOKIE_DOMAIN, or_off(urls.cookie_domain.as_ref())),
        (&settings::LISTEN, listeners.public.to_string()),
        (&settings::GRPC_LISTEN, or_off(listeners.grpc)),
        (&settings::ADMIN_LISTEN, or_off(listeners.admin)),
        (&settings::INNER_LISTEN, or_off(listeners.inner)),
        (&settings::TLS_CERT_FILE, path(&listeners.tls, |files| Some(&files.cert))),
        (&settings::TLS_KEY_FILE, path(&listeners.tls, |files| Some(&files.key))),
        (&settings::GRPC_TLS_CERT_FILE, path(&listeners.grpc_tls, |files| Some(&files.cert))),
        (&settings::GRPC_TLS_KEY_FILE, path(&listeners.grpc_tls, |files| Some(&files.key))),
        (&settings::GRPC_TLS_CLIENT_CA_FILE, path(&listeners.grpc_tls, |files| files.client_ca.as_ref())),
        (&settings::TRUSTED_PROXIES, or_off(Some(proxies).filter(|list| !list.is_empty()))),
        (
            &settings::BESIDE_DIFY,
            deployment.beside_dify.map_or_else(|| "decided by the database".to_owned(), |beside| beside.to_string()),
        ),
        (&settings::SINGLE_REPLICA, deployment.single_replica.to_string()),
        (&settings::SHUTDOWN_TIMEOUT, deployment.shutdown_timeout.as_secs().to_string()),
        (
            &settings::DIFY_VERSION,
            deployment.dify_version.clone().unwrap_or_else(|| "the one that the client works with".to_owned()),
        ),
        (&settings::DIFY_API_URL, or_off(deployment.dify_api_url.as_ref())),
        (&settings::DIFY_API_CONNECT_TIMEOUT, config.dify_api.connect_timeout.as_secs().to_string()),
        (&settings::DIFY_API_FIRST_BYTE_TIMEOUT, config.dify_api.first_byte_timeout.as_secs().to_string()),
        (&settings::DIFY_API_MAX_CONNECTIONS, config.dify_api.max_connections.to_string()),
        (&settings::ENABLE_CONNECTIONS, deployment.connections.to_string()),
        (&settings::OPENAPI_STRICT_WORKSPACE_ID, deployment.strict_workspace_id.to_string()),
        (&settings::GRPC_REFLECTION, deployment.grpc_reflection.to_string()),
        (&settings::API_REFERENCE, deployment.api_reference.to_string()),
    ]
}

fn stores(config: &Config) -> Vec<(&'static Setting, String)> {
    vec![
        (&settings::DATA_DIR, config.data_dir.display().to_string()),
        (&settings::DATABASE_URL, config.database.redacted()),
        (&settings::SQLALCHEMY_POOL_SIZE, config.database.pool_size.to_string()),
        (&settings::DB_TRANSACTION_POOLING, (config.database.pooling != SqlPooling::Sessions).to_string()),
        (
            &settings::DB_PREPARED_STATEMENTS,
            (config.database.pooling != SqlPooling::TransactionsWithoutStatements).to_string(),
        ),
        (&settings::SSL_CERT_FILE, trusted_roots(config)),
        (&settings::SSL_CLIENT_CERT_FILE, or_off(config.client_certificate.as_ref().map(|files| files.cert.display()))),
        (&settings::REDIS_URL, config.redis.as_ref().map_or_else(|| "in-process".to_owned(), Redis::redacted)),
        (
            &settings::REDIS_KEY_PREFIX,
            or_off(config.redis.as_ref().map(|redis| &redis.key_prefix).filter(|prefix| !prefix.is_empty())),
        ),
        (
            &settings::REDIS_WAIT_REPLICAS,
            or_off(config.redis.as_ref().map(|redis| redis.wait_replicas).filter(|replicas| *replicas > 0)),
        ),
    ]
}

fn trusted_roots(config: &Config) -> String {
    match config.trusted_roots.store().len() {
        count if config.trusted_roots.is_empty() => format!("{count} authorities of Mozilla"),
        count => format!("{count} authorities"),
    }
}

fn tokens(config: &Config) -> Vec<(&'static Setting, String)> {
    let (oauth, console, secrets) = (&config.oauth, &config.console, &config.secrets);
    let kids = secrets.previous.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>().join(",");
    let commands = oauth.client_commands.iter().map(|(client, command)| format!("{client}={command}"));
    let commands = commands.collect::<Vec<_>>().join(",");
    let limits = LimitName::ALL.iter().map(|name| format!("{}={}", name.as_str(), quota(config.limits.quota(*name))));
    vec![
        (&settings::SECRET_KEY, format!("set, {} bytes", secrets.secret_key.expose().len())),
        (&settings::SECRET_KEY_NEXT, or_off(secrets.next.as_ref().map(|_| "set"))),
        (&settings::SECRET_KEYS_PREVIOUS, or_off(Some(kids).filter(|list| !list.is_empty()))),
        (&settings::SECRET_KEY_ROTATED_AT, or_off(secrets.rotated_at.map(|at| at.to_rfc3339()))),
        (&settings::INNER_API_KEY, or_off(secrets.inner_api_key.as_ref().map(|_| "set"))),
        (&settings::INIT_PASSWORD, or_off(secrets.init_password.as_ref().map(|_| "set"))),
        (&settings::ENABLE_OAUTH_BEARER, oauth.bearer_enabled.to_string()),
        (&settings::OPENAPI_KNOWN_CLIENT_IDS, oauth.known_client_ids.join(",")),
        (&settings::OPENAPI_CLIENT_COMMANDS, or_off(Some(commands).filter(|list| !list.is_empty()))),
        (&settings::OAUTH_TTL_DAYS, days(oauth.token_lifetime)),
        (&settings::OAUTH_ACCESS_TOKEN_RETENTION_DAYS, days(oauth.retention)),
        (&settings::ENABLE_CLEAN_OAUTH_ACCESS_TOKENS_TASK, oauth.clean_enabled.to_string()),
        (&settings::DEVICE_FLOW_VERIFICATION_URI_COMPLETE, oauth.verification_uri_complete.to_string()),
        (&settings::ACCESS_TOKEN_EXPIRE_MINUTES, (console.access_lifetime.as_secs() / 60).to_string()),
        (&settings::REFRESH_TOKEN_EXPIRE_DAYS, days(console.refresh_lifetime)),
        (&settings::OPENAPI_RATE_LIMITS, limits.collect::<Vec<_>>().join(",")),
    ]
}

/// The limit, what the ledger gives to each kind of work, and the numbers that follow.
fn memory(config: &Config) -> Vec<(&'static Setting, String)> {
    let mib = |bytes: usize| bytes >> 20;
    let ledger = MemoryLedger::new(config.memory.limit);
    let shares = MemoryKind::ALL.map(|kind| format!("{}={}", kind.as_str(), mib(ledger.limit(kind))));
    let source = config.memory.source.map_or("set", MemorySource::as_str);
    let counts = CountLimits::within(&ledger);
    let counts = format!(
        "{} connections, of one address {}, {} requests and {} unfinished bodies",
        counts.connections, counts.network_connections, counts.network_requests, counts.network_bodies
    );
    let limit = mib(config.memory.limit);
    vec![(&settings::MEMORY_LIMIT_MIB, format!("{limit} ({source}: {}; {counts})", shares.join(",")))]
}

fn runs(config: &Config) -> Vec<(&'static Setting, String)> {
    let runtime = &config.runtime;
    let endpoint = runtime.openai.as_ref();
    let mut names: Vec<String> = endpoint
        .into_iter()
        .flat_map(|endpoint| &endpoint.names)
        .map(|((provider, model), name)| format!("{provider}:{model}={name}"))
        .collect();
    names.sort_unstable();
    let networks = runtime.allowed_networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    vec![
        (&settings::OPENAI_BASE_URL, or_off(endpoint.map(|endpoint| &endpoint.base_url))),
        (&settings::OPENAI_API_KEY, or_off(endpoint.and_then(|endpoint| endpoint.api_key.as_ref()).map(|_| "set"))),
        (&settings::OPENAI_MODELS, or_off(Some(names.join(",")).filter(|list| !list.is_empty()))),
        (&settings::ECHO_PACE_MS, runtime.echo_pace.as_millis().to_string()),
        (&settings::APP_MAX_EXECUTION_TIME, runtime.max_execution_time.as_secs().to_string()),
        (&settings::HITL_GLOBAL_TIMEOUT_SECONDS, runtime.form_timeout.as_secs().to_string()),
        (&settings::APP_MAX_ACTIVE_REQUESTS, runtime.max_active_requests.to_string()),
        (&settings::MAX_RUNS_PER_PROCESS, runtime.max_runs.to_string()),
        (&settings::HTTP_REQUEST_ALLOWED_NETWORKS, or_off(Some(networks).filter(|list| !list.is_empty()))),
    ]
}

fn files(config: &Config) -> Vec<(&'static Setting, String)> {
    let (files, limits) = (&config.files, &config.files.limits);
    let (directory, bucket) = match &files.storage {
        FileStorage::Directory(path) => (Some(path.display()), None),
        FileStorage::S3(bucket) => (None, Some(bucket)),
    };
    let mib = |bytes: u64| (bytes >> 20).to_string();
    let blocked = limits.blocked_extensions.iter().cloned().collect::<Vec<_>>().join(",");
    let style = bucket.map(|bucket| if bucket.virtual_host { "virtual" } else { "path" });
    vec![
        (&settings::STORAGE_TYPE, if bucket.is_some() { "s3" } else { "opendal" }.to_owned()),
        (&settings::OPENDAL_FS_ROOT, or_off(directory)),
        (&settings::S3_ENDPOINT, or_off(bucket.and_then(|bucket| bucket.endpoint.as_ref()))),
        (&settings::S3_REGION, or_off(bucket.map(|bucket| &bucket.region))),
        (&settings::S3_BUCKET_NAME, or_off(bucket.map(|bucket| &bucket.name))),
        (&settings::S3_ACCESS_KEY, or_off(bucket.map(|bucket| &bucket.access_key))),
        (&settings::S3_SECRET_KEY, or_off(bucket.map(|_| "set"))),
        (&settings::S3_ADDRESS_STYLE, or_off(style)),
        (&settings::UPLOAD_FILE_SIZE_LIMIT, mib(limits.file)),
        (&settings::UPLOAD_IMAGE_FILE_SIZE_LIMIT, mib(limits.image)),
        (&settings::UPLOAD_VIDEO_FILE_SIZE_LIMIT, mib(limits.video)),
        (&settings::UPLOAD_AUDIO_FILE_SIZE_LIMIT, mib(limits.audio)),
        (&settings::UPLOAD_FILE_EXTENSION_BLACKLIST, or_off(Some(blocked).filter(|list| !list.is_empty()))),
        (&settings::WORKFLOW_FILE_UPLOAD_LIMIT, limits.run_files.to_string()),
        (&settings::FILES_ACCESS_TIMEOUT, files.preview_lifetime.as_secs().to_string()),
    ]
}

fn integrations(config: &Config) -> Vec<(&'static Setting, String)> {
    let (enterprise, telemetry) = (&config.enterprise, &config.telemetry);
    let origins = match &config.cors {
        AllowOrigins::Any => "*".to_owned(),
        AllowOrigins::Listed(origins) => or_off(Some(origins.join(",")).filter(|list| !list.is_empty())),
    };
    let oidc = config.oidc.as_ref();
    let domains = oidc.map(|oidc| oidc.allowed_domains.join(","));
    let otlp = telemetry.otlp.as_deref();
    let endpoint = |signal: Option<&OtlpSignal>| signal.map(|signal| signal.endpoint.clone());
    let format = match telemetry.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    let branding = &config.branding;
    let logo = branding.logo.as_ref().map(|logo| format!("{} bytes of {}", logo.content.len(), logo.media_type));
    vec![
        (&settings::BRAND_NAME, branding.name.clone()),
        (&settings::BRAND_LOGO_FILE, or_off(logo)),
        (&settings::BRAND_ACCENT_COLOR, or_off(branding.accent.map(|accent| accent.light.css()))),
        (&settings::HELP_URL, or_off(branding.help_url.as_ref())),
        (&settings::PRIVACY_URL, or_off(branding.privacy_url.as_ref())),
        (&settings::TERMS_URL, or_off(branding.terms_url.as_ref())),
        (&settings::SIGN_IN_HELP_URL, or_off(branding.sign_in_help_url.as_ref())),
        (&settings::OPENAPI_CORS_ALLOW_ORIGINS, origins),
        (&settings::ENTERPRISE_ENABLED, enterprise.enabled.to_string()),
        (&settings::ENTERPRISE_API_URL, or_off(enterprise.service.as_ref().map(|service| &service.url))),
        (&settings::ENTERPRISE_API_SECRET_KEY, or_off(enterprise.service.as_ref().map(|_| "set"))),
        (&settings::PLUGIN_DAEMON_URL, or_off(config.plugin_daemon.as_ref().map(|daemon| &daemon.url))),
        (&settings::PLUGIN_DAEMON_KEY, or_off(config.plugin_daemon.as_ref().map(|_| "set"))),
        (&settings::SSO_OIDC_ISSUER, or_off(oidc.map(|oidc| &oidc.issuer))),
        (&settings::SSO_OIDC_CLIENT_ID, or_off(oidc.map(|oidc| &oidc.client_id))),
        (&settings::SSO_OIDC_CLIENT_SECRET, or_off(oidc.map(|_| "set"))),
        (&settings::SSO_OIDC_SCOPES, or_off(oidc.map(|oidc| &oidc.scopes))),
        (&settings::SSO_OIDC_NAME, or_off(oidc.and_then(|oidc| oidc.name.as_ref()))),
        (&settings::SSO_OIDC_ALLOWED_DOMAINS, or_off(domains.filter(|list| !list.is_empty()))),
        (&settings::LOG_OUTPUT_FORMAT, format.to_owned()),
        (&settings::LOG_LEVEL, telemetry.directives.clone()),
        (&settings::ENABLE_OTEL, otlp.is_some().to_string()),
        (&settings::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or_off(endpoint(otlp.and_then(|otlp| otlp.traces.as_ref())))),
        (&settings::OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, or_off(endpoint(otlp.and_then(|otlp| otlp.metrics.as_ref())))),
        (&settings::OTEL_SAMPLING_RATE, or_off(otlp.map(|otlp| otlp.sampling.ratio))),
    ]
}

fn or_off(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn days(duration: Duration) -> String {
    (duration.as_secs() / 86_400).to_string()
}

/// A quota in the syntax of `OPENAPI_RATE_LIMITS`.
fn quota(quota: Quota) -> String {
    let seconds = quota.period.as_secs();
    match seconds {
        _ if quota.is_off() => "0".to_owned(),
        _ if seconds.is_multiple_of(3_600) => format!("{}/{}h", quota.count, seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{}/{}m", quota.count, seconds / 60),
        _ => format!("{}/{seconds}s", quota.count),
    }
}
