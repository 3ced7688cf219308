//! What Redis holds is of no use to whoever reads it.

use redis::{Value, aio::MultiplexedConnection};
use uuid::Uuid;

use super::{Stand, charge, claim_id, raw, request};
use crate::{
    domain::{
        grant::{Approval, ClaimOutcome, GrantRequest},
        id::{AccountId, TokenId},
        key::{KeyRing, seal},
        limit::{LimitName, Quota},
        secret::{BearerToken, DeviceCode, Secret},
        session::TokenContext,
        subject::{Subject, SubjectType},
        user_code::UserCode,
    },
    ports::clock::{Clock, SystemClock},
};

/// Every key of the test and its value, as bytes.
async fn dump(raw: &mut MultiplexedConnection, prefix: &str) -> Vec<u8> {
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(format!("*{prefix}*")).query_async(raw).await.unwrap();
    let mut bytes = Vec::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(raw).await.unwrap();
        let verb = if kind == "hash" { "HGETALL" } else { "GET" };
        let value: Value = redis::cmd(verb).arg(&key).query_async(raw).await.unwrap();
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

fn holds(bytes: &[u8], secret: &str) -> bool {
    let bytes = bytes.to_ascii_lowercase();
    bytes.windows(secret.len()).any(|window| window == secret.to_ascii_lowercase().as_bytes())
}

#[tokio::test]
async fn nothing_in_redis_is_a_usable_secret() {
    let (Some(stand), Some(mut raw)) = (Stand::redis(), raw().await) else { return };
    let ring = KeyRing::new(Secret::new("a secret key of a test"), Vec::new());
    let device_code = DeviceCode::mint(&std::array::from_fn(|_| rand::random()));
    let user_code = UserCode::mint(&[7, 30, 61, 93, 124, 156, 187, 219]).unwrap();
    let token = BearerToken::mint(SubjectType::Account, &std::array::from_fn(|_| rand::random()));
    let keys = ring.user_code_keys(&user_code);
    let asked = GrantRequest { seal_key: device_code.seal_key(), ..request() };
    let mut dumps = Vec::new();

    let (device_hash, user_key) = (device_code.hash(), ring.user_code_key(&user_code));
    assert!(stand.state.create_grant(&device_hash, &user_key, &asked).await.unwrap());
    stand.state.poll_grant(&device_code.hash(), "difyctl").await.unwrap();
    let claim = claim_id();
    let ClaimOutcome::Taken(found) = stand.state.claim_grant(&keys, claim).await.unwrap() else { panic!("not taken") };
    dumps.extend(dump(&mut raw, &stand.prefix).await);
    let token_id = TokenId(Uuid::new_v4());
    let approval = Approval { token_id, sealed_token: seal(&token, &found.seal_key).unwrap() };
    assert!(stand.state.finish_grant(&keys, claim, &approval).await.unwrap());
    dumps.extend(dump(&mut raw, &stand.prefix).await);
    assert!(stand.state.redeem_grant(&device_code.hash(), token_id).await.unwrap());
    let context = TokenContext {
        token_id,
        subject: Subject::Account { id: AccountId(Uuid::new_v4()), email: "a@example.com".to_owned() },
        client_id: "difyctl".to_owned(),
        expires_at: SystemClock.now(),
        verdicts: None,
    };
    let limit = charge(LimitName::Token, "unused", Quota::new(60, 60));
    stand.state.cache_token(&token.hash(), &context).await.unwrap();
    stand.state.cached_token(&token.hash(), &limit).await.unwrap();
    stand.state.charge(&[charge(LimitName::UserCode, "192.0.2.1", Quota::new(10, 900))]).await.unwrap();
    dumps.extend(dump(&mut raw, &stand.prefix).await);

    assert!(dumps.len() > 1_000 && holds(&dumps, "sealed_token"), "the dumps hold what was stored");
    let canonical = String::from_utf8(user_code.canonical().to_vec()).unwrap();
    for secret in [device_code.expose(), &user_code.expose(), &canonical, token.expose()] {
        assert!(!holds(&dumps, secret));
        assert!(!holds(&dumps, &secret[5..]), "not even its body");
    }
}
