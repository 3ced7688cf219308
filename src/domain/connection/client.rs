//! OAuth clients: this service's registrations at providers.

use crate::domain::secret::Secret;

/// Encrypted values that replace stored ones. Nothing is stored when the row has others.
#[derive(Clone, Copy, Debug)]
pub struct ReplacedClient<'a> {
    pub old: &'a Secret,
    pub new: &'a Secret,
}

/// A workspace's own client, as it is stored.
#[derive(Clone, Debug)]
pub struct StoredClient {
    /// Whether it is used in place of the instance's client.
    pub enabled: bool,
    /// The encrypted values.
    pub sealed: Secret,
}
