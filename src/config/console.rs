//! The browser session of a standalone server.

use std::time::Duration;

use super::reader::Reader;

/// The console-session section.
#[derive(Clone, Debug)]
pub struct ConsoleConfig {
    /// `ACCESS_TOKEN_EXPIRE_MINUTES`: lifetime of the session cookie.
    pub access_lifetime: Duration,
    /// `REFRESH_TOKEN_EXPIRE_DAYS`: lifetime of the refresh cookie.
    pub refresh_lifetime: Duration,
}

impl ConsoleConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let minutes: u64 = reader.number("ACCESS_TOKEN_EXPIRE_MINUTES", 60, 1..=525_600);
        let days: u64 = reader.number("REFRESH_TOKEN_EXPIRE_DAYS", 30, 1..=3_650);
        Self {
            access_lifetime: Duration::from_secs(minutes * 60),
            refresh_lifetime: Duration::from_secs(days * 86_400),
        }
    }
}
