//! The state of an authorization: encrypted, so that the provider and the browser carry it and nothing is stored.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{Result, connection::provider_key::ProviderKey, key::KeyRing};

/// The lifetime of a state (contract K2).
pub(super) const STATE_LIFETIME: TimeDelta = TimeDelta::seconds(300);
/// Longest state that is read, in bytes.
const MAX_STATE: usize = 2_048;

/// What an authorization is bound to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AuthorizationState {
    #[serde(rename = "a")]
    pub account: Uuid,
    #[serde(rename = "w")]
    pub workspace: Uuid,
    #[serde(rename = "p")]
    pub provider: String,
    #[serde(rename = "u")]
    pub redirect_uri: String,
    /// Used once. The code verifier and the mark of the browser derive from it.
    #[serde(rename = "n")]
    pub nonce: String,
    /// Seconds since the epoch.
    #[serde(rename = "x")]
    pub expires_at: i64,
    /// The connection that is authorized again; a new one without.
    #[serde(rename = "c")]
    pub connection: Option<Uuid>,
}

impl AuthorizationState {
    pub(super) fn seal(&self, keys: &KeyRing) -> Result<String> {
        keys.seal_connection_state(&serde_json::to_string(self).map_err(crate::domain::Error::internal)?)
    }

    /// A state that this service has sealed and that has not expired.
    pub(super) fn open(keys: &KeyRing, sealed: &str, now: DateTime<Utc>) -> Option<Self> {
        if sealed.len() > MAX_STATE {
            return None;
        }
        let state: Self = serde_json::from_str(keys.open_connection_state(sealed)?.expose()).ok()?;
        (now.timestamp() < state.expires_at).then_some(state)
    }

    pub(super) fn provider(&self) -> Option<ProviderKey> {
        self.provider.parse().ok()
    }

    /// The mark of the browser that started the authorization, and the input of its code verifier.
    pub(super) fn mark(&self) -> String {
        format!("connection:{}", self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    #[test]
    fn state_opens_until_it_expires_with_its_key_only() {
        let keys = KeyRing::new(Secret::new("one"), Vec::new());
        let now = DateTime::UNIX_EPOCH;
        let state = AuthorizationState {
            account: Uuid::nil(),
            workspace: Uuid::nil(),
            provider: "langgenius/gmail/gmail".to_owned(),
            redirect_uri: "https://a.example/callback".to_owned(),
            nonce: "n".to_owned(),
            expires_at: (now + STATE_LIFETIME).timestamp(),
            connection: None,
        };
        let sealed = state.seal(&keys).unwrap();
        assert_eq!(AuthorizationState::open(&keys, &sealed, now), Some(state));
        assert_eq!(AuthorizationState::open(&keys, &sealed, now + STATE_LIFETIME), None);
        assert_eq!(AuthorizationState::open(&KeyRing::new(Secret::new("two"), Vec::new()), &sealed, now), None);
        let sso = keys.seal_sso_state("{}").unwrap();
        for text in ["", "x", &sso, &"A".repeat(MAX_STATE + 1)] {
            assert_eq!(AuthorizationState::open(&keys, text, now), None);
        }
    }
}
