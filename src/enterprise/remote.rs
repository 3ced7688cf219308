//! Dify Enterprise's inner API (contract section E1). Answers are cached under Dify's keys; a failure is never an
//! answer.

mod circuit_breaker;
mod client;
pub(super) mod error;
mod messages;
pub(crate) mod settings;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use chrono::TimeDelta;
use url::Url;

use self::{
    client::RemoteClient,
    error::RemoteError,
    messages::{
        AccessModeAnswer, AccessModesAnswer, AppIds, ExternalAppsAnswer, ExternalAppsRequest, Info, PermissionAnswer,
        PermissionsAnswer, PermissionsRequest, SignInAnswer, SignInRequest, TokenLifetimeAnswer,
    },
    settings::RemoteSettings,
};
use super::single_flight::SingleFlight;
use crate::{
    domain::{
        Result,
        access_mode::{AccessMode, LicenseStatus},
        app::{
            AppMode,
            summary::{ModeFilter, NameFilter},
        },
        id::{AccountId, AppId, WorkspaceId},
        stored::{StoredValue, StoredWord as _},
    },
    expiring_cache::ExpiringCache,
    ports::{
        clock::Clock,
        enterprise::{Enterprise, ExternalAppPage, ExternalAppQuery},
        enterprise_cache::EnterpriseCache,
        sign_in_service::SignInService,
    },
    telemetry::metrics::{
        Metrics,
        enterprise::{AnswerCache, EnterpriseOperation},
    },
};

/// Largest answer about one thing, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// Largest answer for each app of a list, in bytes. Names have 255 characters.
const MAX_ANSWER_PER_APP: usize = 4 << 10;
/// Largest answer for each app of a map, in bytes: an id, a word, and the separators.
const MAX_ANSWER_PER_KEY: usize = 128;
/// Limit of characters in a redirect to the identity provider.
const MAX_SIGN_IN_URL: usize = 8 << 10;
/// Range of a token's lifetime in days, as for `OAUTH_TTL_DAYS`.
const TOKEN_LIFETIME_DAYS: std::ops::RangeInclusive<u32> = 1..=365;
/// How long the lifetime of a workspace's tokens is kept.
const TOKEN_LIFETIME_KEPT: TimeDelta = TimeDelta::minutes(10);
/// Most workspaces of which it is kept.
const MAX_LIFETIMES: usize = 10_000;
/// How long it is kept whether single sign-on is offered.
const OFFER_KEPT: TimeDelta = TimeDelta::minutes(1);

/// The enterprise service. Clones share everything.
#[derive(Clone)]
pub(crate) struct RemoteEnterprise(Arc<Backend>);

struct Backend {
    client: RemoteClient,
    cache: Arc<dyn EnterpriseCache>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    info: SingleFlight<(), Arc<Info>>,
    modes: SingleFlight<Vec<AppId>, HashMap<AppId, AccessMode>>,
    permissions: SingleFlight<(AccountId, Vec<AppId>), HashMap<AppId, bool>>,
    lifetimes: SingleFlight<WorkspaceId, Option<Duration>>,
    kept_lifetimes: ExpiringCache<WorkspaceId, Option<Duration>>,
    kept_offer: ExpiringCache<(), bool>,
}

impl RemoteEnterprise {
    pub(crate) fn new(
        settings: RemoteSettings,
        cache: Arc<dyn EnterpriseCache>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        Ok(Self(Arc::new(Backend {
            client: RemoteClient::new(settings, Arc::clone(&clock), Arc::clone(&metrics))?,
            cache,
            clock,
            metrics,
            info: SingleFlight::default(),
            modes: SingleFlight::default(),
            permissions: SingleFlight::default(),
            lifetimes: SingleFlight::default(),
            kept_lifetimes: ExpiringCache::new(TOKEN_LIFETIME_KEPT, MAX_LIFETIMES),
            kept_offer: ExpiringCache::new(OFFER_KEPT, 1),
        })))
    }

    /// Asks for the license and the sign-in, and caches both.
    async fn info(&self) -> Result<Arc<Info>, RemoteError> {
        let backend = Arc::clone(&self.0);
        let call = async move {
            let request = backend.client.get(EnterpriseOperation::Info, &["info"], &[], MAX_ANSWER);
            let info: Info = backend.client.call(request).await?;
            // Best effort: without the entry the next caller sends the request again.
            let _ = backend.cache.put_license(&StoredValue::from(info.license_status())).await;
            backend.kept_offer.insert((), info.offers_sign_in(), backend.clock.now());
            Ok(Arc::new(info))
        };
        self.0.info.join((), call).await
    }
}

impl Backend {
    async fn fetch_modes(&self, apps: &[AppId]) -> Result<HashMap<AppId, AccessMode>, RemoteError> {
        if let [app] = apps {
            let query = [("appId", app.to_string())];
            let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
            let path = ["webapp", "access-mode", "id"];
            let request = self.client.get(EnterpriseOperation::AccessMode, &path, &query, MAX_ANSWER);
            let answer: AccessModeAnswer = self.client.call(request).await?;
            let mode = answer.access_mode.as_deref().map_or(Some(AccessMode::Private), AccessMode::parse);
            return Ok(mode.map(|mode| (*app, mode)).into_iter().collect());
        }
        let body = AppIds { app_ids: texts(apps) };
        let path = ["webapp", "access-mode", "batch", "id"];
        let request = self.client.post(EnterpriseOperation::AccessMode, &path, &body, map_limit(apps))?;
        let answer: AccessModesAnswer = self.client.call(request).await?;
        check_length(answer.access_modes.len(), apps.len())?;
        let mode_of = |app: &AppId| Some((*app, AccessMode::parse(answer.access_modes.get(&app.to_string())?)?));
        Ok(apps.iter().filter_map(mode_of).collect())
    }

    async fn fetch_permissions(&self, account: AccountId, apps: &[AppId]) -> Result<HashMap<AppId, bool>, RemoteError> {
        if let [app] = apps {
            let query = [("userId", account.to_string()), ("appId", app.to_string())];
            let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
            let request =
                self.client.get(EnterpriseOperation::Permission, &["webapp", "permission"], &query, MAX_ANSWER);
            let answer: PermissionAnswer = self.client.call(request).await?;
            return Ok(HashMap::from([(*app, answer.result == Some(true))]));
        }
        let body = PermissionsRequest { user_id: account.to_string(), app_ids: texts(apps) };
        let path = ["webapp", "permission", "batch"];
        let request = self.client.post(EnterpriseOperation::Permission, &path, &body, map_limit(apps))?;
        let answer: PermissionsAnswer = self.client.call(request).await?;
        check_length(answer.permissions.len(), apps.len())?;
        let is_allowed = |app: &AppId| answer.permissions.get(&app.to_string()).copied().unwrap_or(false);
        Ok(apps.iter().map(|app| (*app, is_allowed(app))).collect())
    }

    /// Fetches the permissions that the cache does not have. Without a cache it fetches all.
    async fn find_permissions(&self, account: AccountId, apps: &[AppId]) -> Result<HashMap<AppId, bool>, RemoteError> {
        let mut permissions = self.cache.find_permissions(account, apps).await.unwrap_or_default();
        let missing: Vec<_> = apps.iter().copied().filter(|app| !permissions.contains_key(app)).collect();
        self.metrics.enterprise.look_up(AnswerCache::Permission, missing.is_empty());
        if !missing.is_empty() {
            let answers = self.fetch_permissions(account, &missing).await?;
            let _ = self.cache.put_permissions(account, &answers).await;
            permissions.extend(answers);
        }
        Ok(permissions)
    }

    async fn fetch_lifetime(&self, workspace: WorkspaceId) -> Result<Option<Duration>, RemoteError> {
        let query = [("tenantId", workspace.to_string())];
        let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
        let request = self.client.get(EnterpriseOperation::TokenLifetime, &["policy", "oauth-ttl"], &query, MAX_ANSWER);
        match self.client.call::<TokenLifetimeAnswer>(request).await {
            Ok(answer) => {
                let days = answer.ttl_days.clamp(*TOKEN_LIFETIME_DAYS.start(), *TOKEN_LIFETIME_DAYS.end());
                Ok(Some(Duration::from_hours(24 * u64::from(days))))
            }
            // There is no policy.
            Err(RemoteError::Status { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Enterprise for RemoteEnterprise {
    async fn has_valid_license(&self) -> Result<bool> {
        let cached = self.0.cache.find_license().await.ok().flatten();
        self.0.metrics.enterprise.look_up(AnswerCache::License, cached.is_some());
        let status = match cached {
            Some(status) => status,
            None => StoredValue::from(self.info().await.map_err(RemoteError::into_unavailable)?.license_status()),
        };
        Ok(status.known().is_some_and(LicenseStatus::is_valid))
    }

    async fn access_modes(&self, apps: &[AppId]) -> Result<HashMap<AppId, AccessMode>> {
        if apps.is_empty() {
            return Ok(HashMap::new());
        }
        let (backend, ids) = (Arc::clone(&self.0), apps.to_vec());
        let call = async move { backend.fetch_modes(&ids).await };
        self.0.modes.join(apps.to_vec(), call).await.map_err(RemoteError::into_unavailable)
    }

    async fn permitted_apps(&self, account: AccountId, apps: &[AppId]) -> Result<HashSet<AppId>> {
        if apps.is_empty() {
            return Ok(HashSet::new());
        }
        let (backend, ids) = (Arc::clone(&self.0), apps.to_vec());
        let call = async move { backend.find_permissions(account, &ids).await };
        let permissions = self.0.permissions.join((account, apps.to_vec()), call).await;
        let permissions = permissions.map_err(RemoteError::into_unavailable)?;
        Ok(permissions.into_iter().filter_map(|(app, is_allowed)| is_allowed.then_some(app)).collect())
    }

    async fn list_external_apps(&self, query: &ExternalAppQuery<'_>) -> Result<ExternalAppPage> {
        self.fetch_external_apps(query).await.map_err(RemoteError::into_list_unavailable)
    }

    async fn token_lifetime(&self, workspace: WorkspaceId) -> Option<Duration> {
        let kept = self.0.kept_lifetimes.get(&workspace, self.0.clock.now());
        self.0.metrics.enterprise.look_up(AnswerCache::TokenLifetime, kept.is_some());
        if let Some(lifetime) = kept {
            return lifetime;
        }
        let backend = Arc::clone(&self.0);
        let call = async move {
            let lifetime = backend.fetch_lifetime(workspace).await?;
            backend.kept_lifetimes.insert(workspace, lifetime, backend.clock.now());
            Ok(lifetime)
        };
        self.0.lifetimes.join(workspace, call).await.unwrap_or_else(|error| {
            tracing::warn!(%error, %workspace, "the lifetime of tokens is the configured one, because the policy cannot be read");
            None
        })
    }
}

impl RemoteEnterprise {
    async fn fetch_external_apps(&self, query: &ExternalAppQuery<'_>) -> Result<ExternalAppPage, RemoteError> {
        let limit = query.page.limit as usize;
        let body = ExternalAppsRequest {
            page: query.page.page,
            limit: query.page.limit,
            mode: query.filter.mode.and_then(ModeFilter::only).map(AppMode::as_str),
            name: query.filter.name.as_ref().map(|name| match name {
                NameFilter::Contains(text) => text.clone(),
                NameFilter::Id(id) => id.to_string(),
            }),
        };
        let max_body = MAX_ANSWER + limit * MAX_ANSWER_PER_APP;
        let path = ["webapp", "externally-accessible-apps"];
        let request = self.0.client.post(EnterpriseOperation::ExternalApps, &path, &body, max_body)?;
        let answer: ExternalAppsAnswer = self.0.client.call(request).await?;
        check_length(answer.data.len(), limit)?;
        let parse = |text: &str| text.parse().map_err(|_| RemoteError::Malformed("an app id is not a UUID".to_owned()));
        let apps = answer.data.iter().map(|row| parse(&row.app_id)).collect::<Result<_, _>>()?;
        Ok(ExternalAppPage { total: answer.total, has_more: answer.has_more, apps })
    }
}

#[async_trait]
impl SignInService for RemoteEnterprise {
    async fn offers_sign_in(&self) -> Result<bool> {
        let kept = self.0.kept_offer.get(&(), self.0.clock.now());
        self.0.metrics.enterprise.look_up(AnswerCache::SignIn, kept.is_some());
        match kept {
            Some(offers) => Ok(offers),
            None => Ok(self.info().await.map_err(RemoteError::into_unavailable)?.offers_sign_in()),
        }
    }

    async fn start_sign_in(&self, signed_state: &str) -> Result<Url> {
        let body = SignInRequest { signed_state };
        let answer = async {
            let path = ["device-flow", "sso-initiate"];
            let request = self.0.client.post(EnterpriseOperation::SignIn, &path, &body, MAX_ANSWER)?.once();
            let answer: SignInAnswer = self.0.client.call(request).await?;
            let url = answer.url.filter(|url| url.len() <= MAX_SIGN_IN_URL).and_then(|url| Url::parse(&url).ok());
            url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
                .ok_or_else(|| RemoteError::Malformed("there is no URL to sign in at".to_owned()))
        };
        answer.await.map_err(RemoteError::into_upstream_error)
    }
}

fn texts(apps: &[AppId]) -> Vec<String> {
    apps.iter().map(AppId::to_string).collect()
}

fn map_limit(apps: &[AppId]) -> usize {
    MAX_ANSWER + apps.len() * MAX_ANSWER_PER_KEY
}

/// Rejects an answer with more rows than were requested.
fn check_length(rows: usize, limit: usize) -> Result<(), RemoteError> {
    if rows <= limit {
        Ok(())
    } else {
        Err(RemoteError::Malformed(format!("{rows} rows where {limit} were requested")))
    }
}
