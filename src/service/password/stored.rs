//! A password as it is stored.

use crate::domain::secret::Secret;

/// A stored password: a PHC string of this service, or Dify's hex digest and salt, both in base64.
pub struct Stored {
    /// `accounts.password`.
    pub hash: Secret,
    /// `accounts.password_salt`; null for a PHC string.
    pub salt: Option<Secret>,
}
