//! The last use of a token.

use chrono::{DateTime, Utc};

use super::request_origin::RequestOrigin;

/// When, where and with what a token was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    pub at: DateTime<Utc>,
    pub origin: RequestOrigin,
}
