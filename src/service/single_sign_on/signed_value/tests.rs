use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
}

impl SignedClaims for Note {
    const AUDIENCE: &'static str = "a note";
    const LIFETIME: TimeDelta = TimeDelta::minutes(5);
    const MAX_LIFETIME: TimeDelta = TimeDelta::minutes(10);
}

const CURRENT: &str = "the current secret of the tests";
const PREVIOUS: &str = "the previous secret of the tests";

fn signed_values() -> SignedValues {
    let ring = KeyRing::new(Secret::new(CURRENT), vec![Secret::new(PREVIOUS)]).with_key_ids(["2025".to_owned()]);
    SignedValues::new(Arc::new(ring))
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A value with any header and payload under HMAC-SHA256.
fn value_of(header: &Value, payload: &Value, secret: &str) -> String {
    let text = format!("{}.{}", encoded(header), encoded(payload));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{text}.{signature}")
}

fn header() -> Value {
    json!({"alg": "HS256", "kid": SHARED_KEY_ID, "typ": "JWT"})
}

fn payload() -> Value {
    json!({"text": "hello", "aud": "a note", "iat": now().timestamp(), "exp": now().timestamp() + 300})
}

fn with(mut value: Value, member: &str, new: Value) -> Value {
    value[member] = new;
    value
}

fn without(mut value: Value, member: &str) -> Value {
    value.as_object_mut().unwrap().remove(member);
    value
}

#[test]
fn signed_value_has_the_header_of_dify_and_is_accepted_until_it_expires() {
    let values = signed_values();
    let signed = values.sign(&Note { text: "hello".to_owned() }, now()).unwrap();
    let parts: Vec<_> = signed.expose().split('.').collect();
    let decoded: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
    assert_eq!(decoded, header());
    let verified = values.verify::<Note>(signed.expose(), now()).unwrap();
    assert_eq!((verified.claims.text.as_str(), verified.expires_at), ("hello", now() + TimeDelta::minutes(5)));
    let late = now() + TimeDelta::minutes(5);
    assert!(values.verify::<Note>(signed.expose(), late - TimeDelta::seconds(1)).is_ok());
    assert_eq!(values.verify::<Note>(signed.expose(), late).unwrap_err(), SignedValueError::Expired);
}

#[test]
fn values_of_other_signers_are_accepted() {
    for value in [
        value_of(&header(), &payload(), CURRENT),
        value_of(&with(header(), "kid", json!("2025")), &payload(), PREVIOUS),
        value_of(&header(), &with(payload(), "aud", json!(["a note"])), CURRENT),
        value_of(&header(), &with(payload(), "sub_type", json!("external_sso")), CURRENT),
    ] {
        assert!(signed_values().verify::<Note>(&value, now()).is_ok(), "{value}");
    }
}

#[test]
fn invalid_values_are_rejected_with_their_reason() {
    use SignedValueError::{
        BadSignature, Expired, Malformed, MalformedClaims, UnknownKeyId, WrongAlgorithm, WrongAudience,
    };
    let signed = value_of(&header(), &payload(), CURRENT);
    let (text, signature) = signed.rsplit_once('.').unwrap();
    let other_payload = with(payload(), "text", json!("forged"));
    let in_hs512 = {
        let mut header = Header::new(Algorithm::HS512);
        header.kid = Some(SHARED_KEY_ID.to_owned());
        encode(&header, &payload(), &EncodingKey::from_secret(CURRENT.as_bytes())).unwrap()
    };
    let none = |alg: &str| {
        format!("{}.{}.", encoded(&json!({"alg": alg, "kid": SHARED_KEY_ID, "typ": "JWT"})), encoded(&payload()))
    };
    for (value, expected) in [
        (String::new(), Malformed),
        ("a.b.c".to_owned(), Malformed),
        ("x".repeat(MAX_LENGTH + 1), Malformed),
        (none("none"), Malformed),
        (none("None"), Malformed),
        (none("HS256"), BadSignature),
        (in_hs512, WrongAlgorithm),
        (value_of(&with(header(), "alg", json!("RS256")), &payload(), CURRENT), WrongAlgorithm),
        (value_of(&with(header(), "alg", json!("ES256")), &payload(), CURRENT), WrongAlgorithm),
        (value_of(&without(header(), "kid"), &payload(), CURRENT), UnknownKeyId),
        (value_of(&with(header(), "kid", json!("")), &payload(), CURRENT), UnknownKeyId),
        (value_of(&with(header(), "kid", json!("2024")), &payload(), CURRENT), UnknownKeyId),
        (value_of(&with(header(), "kid", json!("2025")), &payload(), CURRENT), BadSignature),
        (value_of(&header(), &payload(), PREVIOUS), BadSignature),
        (format!("{}.{}.{signature}", encoded(&header()), encoded(&other_payload)), BadSignature),
        (format!("{text}.{}", URL_SAFE_NO_PAD.encode([0; 32])), BadSignature),
        (format!("{text}."), BadSignature),
        (value_of(&header(), &with(payload(), "aud", json!("api.sso.state_envelope")), CURRENT), WrongAudience),
        (value_of(&header(), &with(payload(), "aud", json!(["another"])), CURRENT), WrongAudience),
        (value_of(&header(), &with(payload(), "aud", json!(["a note", "another"])), CURRENT), MalformedClaims),
        (value_of(&header(), &without(payload(), "aud"), CURRENT), MalformedClaims),
        (value_of(&header(), &without(payload(), "exp"), CURRENT), MalformedClaims),
        (value_of(&header(), &with(payload(), "exp", json!("soon")), CURRENT), MalformedClaims),
        (value_of(&header(), &with(payload(), "exp", json!(now().timestamp())), CURRENT), Expired),
        (value_of(&header(), &with(payload(), "exp", json!(now().timestamp() + 601)), CURRENT), Expired),
        (value_of(&header(), &with(payload(), "text", json!(1)), CURRENT), MalformedClaims),
    ] {
        assert_eq!(signed_values().verify::<Note>(&value, now()).unwrap_err(), expected, "{value}");
    }
}
