//! Redis holds no secret in clear.

use redis::{Value, aio::MultiplexedConnection};
use uuid::Uuid;

use super::{
    backend::{TestBackend, charge, direct_connection},
    samples::{grant_request, new_claim_id},
};
use crate::{
    domain::{
        grant::{Approval, ClaimOutcome, GrantRequest},
        id::{AccountId, TokenId},
        key::{KeyRing, seal},
        limit::{LimitName, Quota},
        recorded_decision::{Decision, DecisionOutcome},
        secret::{BearerToken, DeviceCode, Secret},
        session::TokenContext,
        subject::{Subject, SubjectType},
        user_code::UserCode,
    },
    ports::clock::{Clock, SystemClock},
};

/// All keys of the test and their values, as bytes.
async fn dump(connection: &mut MultiplexedConnection, prefix: &str) -> Vec<u8> {
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(format!("*{prefix}*")).query_async(connection).await.unwrap();
    let mut bytes = Vec::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(connection).await.unwrap();
        let verb = if kind == "hash" { "HGETALL" } else { "GET" };
        let value: Value = redis::cmd(verb).arg(&key).query_async(connection).await.unwrap();
        bytes.extend_from_slice(&key);
        append(&value, &mut bytes);
    }
    bytes
}

fn append(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::BulkString(text) => bytes.extend_from_slice(text),
        Value::Array(values) => values.iter().for_each(|value| append(value, bytes)),
        Value::Map(pairs) => pairs.iter().for_each(|(name, value)| {
            append(name, bytes);
            append(value, bytes);
        }),
        other => panic!("{other:?}"),
    }
}

fn contains(bytes: &[u8], secret: &str) -> bool {
    let bytes = bytes.to_ascii_lowercase();
    bytes.windows(secret.len()).any(|window| window == secret.to_ascii_lowercase().as_bytes())
}

#[tokio::test]
async fn redis_holds_no_usable_secret() {
    let (Some(backend), Some(mut connection)) = (TestBackend::redis(), direct_connection().await) else { return };
    let ring = KeyRing::new(Secret::new("a secret key of a test"), Vec::new());
    let device_code = DeviceCode::mint(&std::array::from_fn(|_| rand::random()));
    let user_code = UserCode::mint(&[7, 30, 61, 93, 124, 156, 187, 219]).unwrap();
    let token = BearerToken::mint(SubjectType::Account, &std::array::from_fn(|_| rand::random()));
    let keys = ring.user_code_keys(&user_code);
    let request = GrantRequest { seal_key: device_code.seal_key(), ..grant_request() };
    let mut dumps = Vec::new();

    let (device_hash, user_key) = (device_code.hash(), ring.user_code_key(&user_code));
    assert!(backend.stores.grants.create(&device_hash, &user_key, &request).await.unwrap());
    backend.stores.grants.poll(&device_code.hash(), "difyctl").await.unwrap();
    let claim = new_claim_id();
    let ClaimOutcome::Claimed(found) = backend.stores.grants.claim(&keys, claim).await.unwrap() else {
        panic!("not taken")
    };
    dumps.extend(dump(&mut connection, &backend.key_prefix).await);
    let token_id = TokenId(Uuid::new_v4());
    let approval = Approval { token_id, sealed_token: seal(&token, &found.seal_key).unwrap() };
    assert!(backend.stores.grants.finish(&keys, claim, &approval).await.unwrap());
    let decision = Decision {
        client_id: found.client_id.clone(),
        device_label: found.device_label.clone(),
        outcome: DecisionOutcome::Approved(token_id),
    };
    backend.stores.grants.record_decision(&user_key, AccountId(Uuid::new_v4()), &decision).await.unwrap();
    dumps.extend(dump(&mut connection, &backend.key_prefix).await);
    assert!(backend.stores.grants.redeem(&device_code.hash(), token_id).await.unwrap());
    let context = TokenContext {
        token_id,
        subject: Subject::Account { id: AccountId(Uuid::new_v4()), email: "a@example.com".to_owned() },
        client_id: "difyctl".to_owned(),
        expires_at: SystemClock.now(),
        verdicts: None,
    };
    let limit = charge(LimitName::Token, "unused", Quota::new(60, 60));
    backend.stores.token_cache.put(&token.hash(), &context).await.unwrap();
    backend.stores.token_cache.get_and_charge(&token.hash(), &limit).await.unwrap();
    backend.stores.rate_limits.charge(&[charge(LimitName::UserCode, "192.0.2.1", Quota::new(10, 900))]).await.unwrap();
    dumps.extend(dump(&mut connection, &backend.key_prefix).await);

    assert!(dumps.len() > 1_000 && contains(&dumps, "sealed_token"), "the dumps contain the stored values");
    let canonical = String::from_utf8(user_code.canonical().to_vec()).unwrap();
    for secret in [device_code.expose(), &user_code.expose(), &canonical, token.expose()] {
        assert!(!contains(&dumps, secret));
    }
    // Only of long secrets: random bytes contain the few characters that are left of a user code now and then.
    for secret in [device_code.expose(), token.expose()] {
        assert!(!contains(&dumps, &secret[5..]), "without its prefix, too");
    }
}
