//! Checks of providers' answers that both backends share.

use http::StatusCode;

use crate::{
    domain::connection::values::{CredentialValues, MAX_VALUES},
    ports::connection_backend::BackendError,
};

/// Longest lifetime of credentials in seconds: ten years.
pub(super) const MAX_LIFETIME: i64 = 10 * 365 * 24 * 3_600;
/// The lifetime in seconds of refreshed credentials whose answer names no usable one.
const USUAL_LIFETIME: i64 = 3_600;

/// The request that an answer is for, by its `grant_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrantType {
    AuthorizationCode,
    RefreshToken,
}

impl GrantType {
    /// When the credentials of an answer expire; `found` is `None` for an answer that names no usable time. A refresh
    /// may have made the old refresh token invalid, so its credentials are accepted, and are refreshed again after an
    /// hour.
    pub(super) fn expiry(self, found: Option<i64>, now: i64, fault: &'static str) -> Result<i64, BackendError> {
        match (found, self) {
            (Some(expires_at), _) => Ok(expires_at),
            (None, Self::AuthorizationCode) => Err(BackendError::InvalidAnswer(fault)),
            (None, Self::RefreshToken) => {
                tracing::warn!(fault, "the time at which refreshed credentials expire is not known");
                Ok(now.saturating_add(USUAL_LIFETIME))
            }
        }
    }
}

/// Fails for values that no row holds.
pub(super) fn check_length(values: &CredentialValues) -> Result<(), BackendError> {
    if values.to_json().len() > MAX_VALUES {
        return Err(BackendError::InvalidAnswer("its values are too long"));
    }
    Ok(())
}

/// Fails with [`BackendError::Unavailable`] for a status that reports a failure which passes.
pub(super) fn check_available(status: StatusCode) -> Result<(), BackendError> {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(BackendError::unavailable(format!("the provider returned status {}", status.as_u16())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refresh_accepts_an_unknown_time_of_expiry() {
        assert_eq!(GrantType::AuthorizationCode.expiry(Some(7), 1_000, "x").unwrap(), 7);
        assert_eq!(GrantType::RefreshToken.expiry(Some(7), 1_000, "x").unwrap(), 7);
        assert!(matches!(GrantType::AuthorizationCode.expiry(None, 1_000, "x"), Err(BackendError::InvalidAnswer("x"))));
        assert_eq!(GrantType::RefreshToken.expiry(None, 1_000, "x").unwrap(), 4_600);
    }
}
