//! The gate of internal services: the service key, and the limit on wrong keys (contract section 8).

use std::sync::Arc;

use http::HeaderMap;

use super::settings::PipelineSettings;
use crate::{
    domain::{
        Code, Error, Result,
        caller::ClientAddress,
        limit::{LimitDecision, LimitName},
    },
    service::rate_limiter::RateLimiter,
    telemetry::audit::sign_in::SignInEvent,
};

/// The headers that carry the service key. The second one is Dify's own name; it counts without the first one.
const SERVICE_KEY_HEADERS: [&str; 2] = ["enterprise-api-secret-key", "x-inner-api-key"];

pub(super) struct ServiceKeyGate {
    rate_limiter: RateLimiter,
    settings: Arc<PipelineSettings>,
}

impl ServiceKeyGate {
    pub(super) fn new(rate_limiter: RateLimiter, settings: Arc<PipelineSettings>) -> Self {
        Self { rate_limiter, settings }
    }

    /// Checks the key. After too many wrong ones from the address every key, correct or not, is `rate_limited`, so that
    /// guessing is limited. Without a configured key the routes are absent, and every key is wrong.
    pub(super) async fn authenticate(&self, headers: &HeaderMap, address: ClientAddress, method: &str) -> Result<()> {
        let presented = SERVICE_KEY_HEADERS
            .iter()
            .find_map(|name| headers.get(*name))
            .ok_or_else(|| Error::new(Code::BearerMissing, "The service credential is required."))?;
        let wrong_keys = self.rate_limiter.bucket(LimitName::ServiceKey, address.bucket());
        if let LimitDecision::Limited(retry_after) = self.rate_limiter.peek_with_fallback(&wrong_keys).await? {
            return Err(self.rate_limiter.limited(LimitName::ServiceKey, retry_after));
        }
        let expected = self.settings.service_key.as_ref();
        if presented.to_str().is_ok_and(|text| expected.is_some_and(|key| key.matches(text))) {
            return Ok(());
        }
        let (decision, _) = self.rate_limiter.charge_with_fallback(&[wrong_keys]).await?;
        if let LimitDecision::Limited(retry_after) = decision {
            return Err(self.rate_limiter.limited(LimitName::ServiceKey, retry_after));
        }
        SignInEvent::ServiceKeyRejected { method }.record();
        Err(Error::new(Code::BearerInvalid, "The service credential is not valid."))
    }
}
