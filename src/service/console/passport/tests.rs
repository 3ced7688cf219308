use uuid::Uuid;

use super::*;
use crate::domain::{device_handle::DeviceHandle, key::ReplacedSecret};

const CURRENT: &str = "q8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa4eWiXoRtN";
const PREVIOUS: &str = "WiXoRtNq8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa4e";
const OLDER: &str = "m5uJx3nKc7bPd9sLf2hGa4eWiXoRtNq8Zr1vYwT0";

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

fn account() -> AccountId {
    AccountId(Uuid::from_u128(7))
}

/// Tokens of an hour's lifetime, signed with one key.
fn signed_with(key: &str) -> Passports {
    Passports::new(Arc::new(KeyRing::new(Secret::new(key), Vec::new())), TimeDelta::hours(1))
}

/// Verifies with the current key, after the previous one was replaced at minute 0.
fn verifier(knows_rotation: bool) -> Passports {
    let ring = KeyRing::new(Secret::new(CURRENT), vec![Secret::new(PREVIOUS), Secret::new(OLDER)]);
    let ring = if knows_rotation {
        ring.with_replaced(ReplacedSecret { secret: Secret::new(PREVIOUS), at: at(0) })
    } else {
        ring
    };
    Passports::new(Arc::new(ring), TimeDelta::hours(1))
}

/// Whether a session and its CSRF token, signed with `key` and expiring at minute `until`, are valid at minute `now`.
fn is_valid(verifier: &Passports, key: &str, until: i64, now: i64) -> bool {
    let signer = signed_with(key);
    let access = signer.access_token(account(), BrowserSessionId(Uuid::from_u128(8)), at(until)).unwrap();
    let csrf = signer.csrf_token(account(), at(until)).unwrap();
    let holder = verifier.holder(access.expose(), at(now)).is_some();
    assert_eq!(holder, verifier.csrf_holds(csrf.expose(), account(), at(now)), "both tokens follow the same rule");
    holder
}

#[test]
fn replaced_key_is_accepted_until_its_sessions_end() {
    let known = verifier(true);
    assert!(is_valid(&known, PREVIOUS, 60, 59), "issued just before the rotation");
    assert!(!is_valid(&known, PREVIOUS, 60, 60), "expired");
    assert!(!is_valid(&known, PREVIOUS, 61, 1), "issued after the rotation, by somebody else");
    assert!(!is_valid(&known, PREVIOUS, 1_000_000, 1));
    assert!(is_valid(&known, CURRENT, 120, 61));
}

#[test]
fn previous_keys_are_rejected_without_the_time_of_the_rotation() {
    assert!(!is_valid(&verifier(false), PREVIOUS, 60, 1));
    assert!(!is_valid(&verifier(false), OLDER, 60, 1));
    assert!(!is_valid(&verifier(true), OLDER, 60, 1), "the time belongs to the newest previous key");
    assert!(is_valid(&verifier(false), CURRENT, 60, 1));
}

#[test]
fn previous_keys_open_user_codes_and_handles_without_the_time_of_the_rotation() {
    let code = crate::domain::user_code::UserCode::parse("WDJP-XKLM").unwrap();
    let handle = DeviceHandle::new(code.clone(), "difyctl");
    for key in [PREVIOUS, OLDER] {
        let before = KeyRing::new(Secret::new(key), Vec::new());
        let ring = KeyRing::new(Secret::new(CURRENT), vec![Secret::new(PREVIOUS), Secret::new(OLDER)]);
        assert!(ring.user_code_keys(&code).contains(&before.user_code_key(&code)));
        assert_eq!(ring.open_handle(&before.seal_handle(&handle).unwrap()).as_ref(), Some(&handle));
    }
}
