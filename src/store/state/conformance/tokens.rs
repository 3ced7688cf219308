//! The token cache: shared through Redis with Dify, absent in process.

use chrono::DateTime;
use uuid::Uuid;

use super::{Stand, charge, raw};
use crate::{
    domain::{
        id::{AccountId, TokenId},
        limit::{Charge, LimitName, Quota, Verdict},
        secret::{TokenHash, sha256_hex},
        session::TokenContext,
        subject::Subject,
    },
    ports::state::Cached,
};

fn hash() -> TokenHash {
    TokenHash::from_stored(sha256_hex(Uuid::new_v4().as_bytes()))
}

fn limit(count: u32) -> Charge {
    charge(LimitName::Token, "unused", Quota::new(count, 60))
}

fn context(subject: Subject) -> TokenContext {
    TokenContext {
        token_id: TokenId(Uuid::from_u128(7)),
        subject,
        client_id: "difyctl".to_owned(),
        expires_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    }
}

fn account() -> TokenContext {
    context(Subject::Account { id: AccountId(Uuid::from_u128(9)), email: "a@example.com".to_owned() })
}

#[tokio::test]
async fn in_process_nothing_is_kept() {
    let stand = Stand::memory();
    let hash = hash();
    assert!(!stand.state.caches_tokens());
    stand.state.cache_token(&hash, &account()).await.unwrap();
    assert_eq!(stand.state.cached_token(&hash, &limit(60)).await.unwrap(), Cached::Unknown);
    stand.state.invalidate_token(&hash).await.unwrap();
    assert_eq!(stand.state.cached_token(&hash, &limit(60)).await.unwrap(), Cached::Unknown);
}

#[tokio::test]
async fn a_fill_never_overwrites_an_invalidation() {
    let Some(stand) = Stand::redis() else { return };
    assert!(stand.state.caches_tokens());
    let (revoked, unknown, live) = (hash(), hash(), hash());
    stand.state.invalidate_token(&revoked).await.unwrap();
    stand.state.cache_token(&revoked, &account()).await.unwrap();
    assert_eq!(stand.state.cached_token(&revoked, &limit(60)).await.unwrap(), Cached::Invalid);
    stand.state.cache_unknown(&unknown).await.unwrap();
    stand.state.cache_token(&unknown, &account()).await.unwrap();
    assert_eq!(stand.state.cached_token(&unknown, &limit(60)).await.unwrap(), Cached::Invalid);
    stand.state.cache_token(&live, &account()).await.unwrap();
    stand.state.cache_unknown(&live).await.unwrap();
    let found = stand.state.cached_token(&live, &limit(60)).await.unwrap();
    assert_eq!(found, Cached::Live(account(), Verdict::Allowed));
    stand.state.invalidate_token(&live).await.unwrap();
    assert_eq!(stand.state.cached_token(&live, &limit(60)).await.unwrap(), Cached::Invalid);
}

#[tokio::test]
async fn only_a_live_entry_charges_its_limit() {
    let Some(stand) = Stand::redis() else { return };
    let hash = hash();
    for _ in 0..5 {
        assert_eq!(stand.state.cached_token(&hash, &limit(3)).await.unwrap(), Cached::Unknown);
    }
    let sso = context(Subject::ExternalSso { email: "s@example.com".to_owned(), issuer: "https://idp".to_owned() });
    stand.state.cache_token(&hash, &sso).await.unwrap();
    for _ in 0..3 {
        let found = stand.state.cached_token(&hash, &limit(3)).await.unwrap();
        assert_eq!(found, Cached::Live(sso.clone(), Verdict::Allowed));
    }
    for _ in 0..2 {
        let found = stand.state.cached_token(&hash, &limit(3)).await.unwrap();
        assert!(matches!(found, Cached::Live(_, Verdict::Limited(wait)) if wait.as_secs() < 20));
    }
    let off = stand.state.cached_token(&hash, &limit(0)).await.unwrap();
    assert_eq!(off, Cached::Live(sso.clone(), Verdict::Allowed));
    stand.advance_secs(20);
    let found = stand.state.cached_token(&hash, &limit(3)).await.unwrap();
    assert_eq!(found, Cached::Live(sso, Verdict::Allowed));
}

#[tokio::test]
async fn an_entry_is_one_that_dify_can_read() {
    let (Some(stand), Some(mut raw)) = (Stand::redis(), raw().await) else { return };
    let hash = hash();
    let key = format!("{}:auth:token:{}", stand.prefix, hash.expose());
    stand.state.cache_token(&hash, &account()).await.unwrap();
    let value: String = redis::cmd("GET").arg(&key).query_async(&mut raw).await.unwrap();
    let expected = concat!(
        r#"{"subject_email":"a@example.com","subject_issuer":"dify:account","#,
        r#""account_id":"00000000-0000-0000-0000-000000000009","client_id":"difyctl","#,
        r#""token_id":"00000000-0000-0000-0000-000000000007","#,
        r#""expires_at":"2027-01-15T08:00:00.000000+00:00","verified_tenants":{}}"#
    );
    assert_eq!(value, expected);
    let left: i64 = redis::cmd("TTL").arg(&key).query_async(&mut raw).await.unwrap();
    assert!((59..=60).contains(&left));
    stand.state.cached_token(&hash, &limit(60)).await.unwrap();
    let buckets: i64 = redis::cmd("EXISTS").arg(format!("rl:{{{key}}}")).query_async(&mut raw).await.unwrap();
    assert_eq!(buckets, 1, "the bucket's hash tag is the whole key");
    stand.state.invalidate_token(&hash).await.unwrap();
    let value: String = redis::cmd("GET").arg(&key).query_async(&mut raw).await.unwrap();
    let left: i64 = redis::cmd("TTL").arg(&key).query_async(&mut raw).await.unwrap();
    assert_eq!((value.as_str(), (59..=60).contains(&left)), ("invalid", true));
}

#[tokio::test]
async fn what_dify_wrote_is_read_and_garbage_is_nothing() {
    let (Some(stand), Some(mut raw)) = (Stand::redis(), raw().await) else { return };
    let hash = hash();
    let key = format!("{}:auth:token:{}", stand.prefix, hash.expose());
    let dify = r#"{"subject_email": "a@example.com", "subject_issuer": "dify:account", "account_id": "00000000-0000-0000-0000-000000000009", "client_id": "difyctl", "token_id": "00000000-0000-0000-0000-000000000007", "expires_at": "2027-01-15T08:00:00Z", "verified_tenants": {"00000000-0000-0000-0000-000000000001": true}}"#;
    let deleted = dify.replace(r#""00000000-0000-0000-0000-000000000009""#, "null");
    let endless = dify.replace(r#""2027-01-15T08:00:00Z""#, "null");
    for (value, expected) in [
        (dify, Cached::Live(account(), Verdict::Allowed)),
        ("invalid", Cached::Invalid),
        (&deleted, Cached::Unknown),
        (&endless, Cached::Unknown),
        ("", Cached::Unknown),
        ("{", Cached::Unknown),
        ("{}", Cached::Unknown),
        ("[1]", Cached::Unknown),
    ] {
        let () = redis::cmd("SET").arg(&key).arg(value).query_async(&mut raw).await.unwrap();
        assert_eq!(stand.state.cached_token(&hash, &limit(60)).await.unwrap(), expected, "{value}");
    }
    let () = redis::cmd("SET").arg(&key).arg(b"{\xff\xfe".as_slice()).query_async(&mut raw).await.unwrap();
    assert_eq!(stand.state.cached_token(&hash, &limit(60)).await.unwrap(), Cached::Unknown);
    let () = redis::cmd("DEL").arg(&key).query_async(&mut raw).await.unwrap();
    let () = redis::cmd("HSET").arg(&key).arg("a").arg("b").query_async(&mut raw).await.unwrap();
    assert_eq!(stand.state.cached_token(&hash, &limit(60)).await.unwrap(), Cached::Unknown);
}
