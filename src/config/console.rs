//! Lifetimes of the browser session of a standalone server.

use std::time::Duration;

use super::{reader::Reader, settings};

#[derive(Clone, Debug)]
pub struct ConsoleConfig {
    pub access_lifetime: Duration,
    pub refresh_lifetime: Duration,
}

impl ConsoleConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let minutes: u64 = reader.number(&settings::ACCESS_TOKEN_EXPIRE_MINUTES, 1..=525_600);
        let days: u64 = reader.number(&settings::REFRESH_TOKEN_EXPIRE_DAYS, 1..=3_650);
        Self {
            access_lifetime: Duration::from_secs(minutes * 60),
            refresh_lifetime: Duration::from_secs(days * 86_400),
        }
    }
}
