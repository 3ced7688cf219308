//! The rate limits: every figure of contract section 8 is a default that can be changed.

use std::time::Duration;

use super::reader::Reader;
use crate::domain::limit::{LimitName, Limits, Quota};

const NAME: &str = "OPENAPI_RATE_LIMITS";

/// Reads the figures. `OPENAPI_RATE_LIMITS` wins over the variables for single limits.
pub(super) fn read(reader: &mut Reader<'_>) -> Limits {
    let mut limits = Limits::default();
    let token = LimitName::Token.default_quota().count;
    let token = reader.number("OPENAPI_RATE_LIMIT_PER_TOKEN", token, 0..=1_000_000);
    limits.set(LimitName::Token, Quota::new(token, 60));
    let approve = LimitName::Approve.default_quota().count;
    let approve = reader.number("DEVICE_FLOW_APPROVE_RATE_LIMIT_PER_HOUR", approve, 0..=1_000_000);
    limits.set(LimitName::Approve, Quota::new(approve, 3_600));
    let login = LimitName::Login.default_quota();
    let lockout = reader.number("LOGIN_LOCKOUT_DURATION", login.period.as_secs(), 1..=31_536_000);
    limits.set(LimitName::Login, Quota { period: Duration::from_secs(lockout), ..login });

    for part in reader.list(NAME).unwrap_or_default() {
        let Some((name, figure)) = part.split_once('=') else {
            reader.problem(NAME, format_args!("contains `{part}`; write name=limit, like device_code=600/1h,lookup=0"));
            continue;
        };
        match (name.trim().parse::<LimitName>(), figure.parse::<Quota>()) {
            (Ok(name), Ok(quota)) => limits.set(name, quota),
            (Err(fault), _) => reader.problem(NAME, format_args!("is not valid: {fault}")),
            (_, Err(fault)) => reader.problem(NAME, format_args!("is not valid for {}: {fault}", name.trim())),
        }
    }
    limits
}
