//! Which backend decides about apps in the Enterprise edition.

use std::sync::Arc;

use crate::{
    config::enterprise::EnterpriseConfig,
    domain::Result,
    enterprise::{
        built_in::BuiltInEnterprise,
        remote::{
            RemoteEnterprise,
            settings::{RemoteLimits, RemoteSettings},
        },
    },
    http_client::HttpClients,
    ports::{enterprise::Enterprise, sign_in_service::SignInService, state_stores::StateStores},
    service::context::ServiceContext,
};

/// The backend of the Enterprise edition.
#[derive(Clone)]
pub(super) struct EnterpriseBackend {
    pub(super) access: Arc<dyn Enterprise>,
    /// `None` without an enterprise service.
    pub(super) sign_in: Option<Arc<dyn SignInService>>,
}

impl EnterpriseBackend {
    /// `None` in the community edition.
    pub(super) fn new(
        config: &EnterpriseConfig,
        context: &ServiceContext,
        stores: &StateStores,
        clients: &HttpClients,
    ) -> Result<Option<Self>> {
        if !config.enabled {
            return Ok(None);
        }
        let Some(service) = &config.service else {
            let access = Arc::new(BuiltInEnterprise::new(Arc::clone(&context.sql)));
            return Ok(Some(Self { access, sign_in: None }));
        };
        let settings = RemoteSettings {
            url: service.url.clone(),
            secret_key: service.secret_key.clone(),
            limits: RemoteLimits::default(),
            clients: clients.clone(),
        };
        let remote = RemoteEnterprise::new(
            settings,
            Arc::clone(&stores.enterprise_cache),
            Arc::clone(&context.clock),
            Arc::clone(&context.metrics),
        )?;
        Ok(Some(Self { access: Arc::new(remote.clone()), sign_in: Some(Arc::new(remote)) }))
    }
}
