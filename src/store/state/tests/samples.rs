//! Values and assertions of several suites.

use std::time::Duration;

use uuid::Uuid;

use crate::domain::{
    grant::{Approval, GrantRequest},
    id::{ClaimId, TokenId},
    limit::LimitDecision,
    secret::{DeviceCodeHash, UserCodeKey, sha256_hex},
};

pub(crate) fn new_codes() -> (DeviceCodeHash, UserCodeKey) {
    let hash = || sha256_hex(Uuid::new_v4().as_bytes());
    (DeviceCodeHash::from_stored(hash()), UserCodeKey::new(hash()))
}

/// A request of `difyctl`.
pub(crate) fn grant_request() -> GrantRequest {
    GrantRequest {
        client_id: "difyctl".to_owned(),
        device_label: "a \u{1f4bb} of \"mine\"".to_owned(),
        created_ip: "2001:db8::7".parse().unwrap(),
        user_agent: None,
        seal_key: [0xA5; 32],
    }
}

pub(crate) fn new_claim_id() -> ClaimId {
    ClaimId(Uuid::new_v4())
}

pub(crate) fn new_approval() -> Approval {
    Approval { token_id: TokenId(Uuid::new_v4()), sealed_token: vec![0, 255, 10, 13, 0] }
}

/// Asserts a wait of this many seconds, less at expected half a second of real time.
pub(crate) fn assert_limited(verdict: LimitDecision, seconds: u64) {
    let LimitDecision::Limited(wait) = verdict else { panic!("allowed") };
    let expected = Duration::from_secs(seconds);
    assert!(wait <= expected && wait + Duration::from_millis(500) >= expected, "{wait:?} is not about {expected:?}");
}
