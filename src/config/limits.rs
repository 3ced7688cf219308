//! The quotas of the rate limits (contract section 8).

use std::time::Duration;

use super::{
    reader::Reader,
    settings::{
        DEVICE_FLOW_APPROVE_RATE_LIMIT_PER_HOUR, LOGIN_LOCKOUT_DURATION, OPENAPI_RATE_LIMIT_PER_TOKEN,
        OPENAPI_RATE_LIMITS,
    },
};
use crate::domain::limit::{LimitName, Limits, Quota};

/// `OPENAPI_RATE_LIMITS` wins over the settings of single limits.
pub(super) fn read(reader: &mut Reader<'_>) -> Limits {
    let mut limits = Limits::default();
    let token = reader.number(&OPENAPI_RATE_LIMIT_PER_TOKEN, 0..=1_000_000);
    limits.set(LimitName::Token, Quota::new(token, 60));
    let approve = reader.number(&DEVICE_FLOW_APPROVE_RATE_LIMIT_PER_HOUR, 0..=1_000_000);
    limits.set(LimitName::Approve, Quota::new(approve, 3_600));
    let lockout = Duration::from_secs(reader.number(&LOGIN_LOCKOUT_DURATION, 1..=31_536_000));
    limits.set(LimitName::Login, Quota { period: lockout, ..LimitName::Login.default_quota() });

    for part in reader.list(&OPENAPI_RATE_LIMITS) {
        let Some((name, figure)) = part.split_once('=') else {
            reader.problem(
                &OPENAPI_RATE_LIMITS,
                format_args!("contains `{part}`; write name=limit, like device_code=600/1h,lookup=0"),
            );
            continue;
        };
        match (name.trim().parse::<LimitName>(), figure.parse::<Quota>()) {
            (Ok(name), Ok(quota)) => limits.set(name, quota),
            (Err(error), _) => reader.problem(&OPENAPI_RATE_LIMITS, format_args!("is not valid: {error}")),
            (_, Err(error)) => {
                reader.problem(&OPENAPI_RATE_LIMITS, format_args!("is not valid for {}: {error}", name.trim()));
            }
        }
    }
    limits
}
