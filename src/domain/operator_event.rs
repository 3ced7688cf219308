//! An audit event of a command, on its way to the log of a server.

use chrono::{DateTime, Utc};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorEvent {
    pub id: Uuid,
    /// The fields, as a JSON object.
    pub fields: String,
    pub created_at: DateTime<Utc>,
}
