//! Single sign-on through the enterprise service (contract section E3).

use async_trait::async_trait;
use url::Url;

use crate::domain::Result;

#[async_trait]
pub trait SignInService: Send + Sync + 'static {
    /// Whether single sign-on is configured, and so whether its button is shown. Fails with `service_unavailable`.
    async fn offers_sign_in(&self) -> Result<bool>;

    /// The URL that the browser is redirected to. `signed_state` is the state envelope, a compact JWS. Fails with
    /// `upstream_error`.
    async fn start_sign_in(&self, signed_state: &str) -> Result<Url>;
}
