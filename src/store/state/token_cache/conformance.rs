//! The token cache, shared with Dify in Redis and always empty in process.

use std::collections::BTreeMap;

use chrono::DateTime;
use uuid::Uuid;

use crate::{
    domain::{
        id::{AccountId, TokenId, WorkspaceId},
        limit::{Charge, LimitDecision, LimitName, Quota},
        secret::{TokenHash, sha256_hex},
        session::TokenContext,
        subject::Subject,
    },
    ports::token_cache::CachedToken,
    store::state::tests::backend::{TestBackend, charge, direct_connection},
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
        verdicts: Some(BTreeMap::new()),
    }
}

fn account() -> TokenContext {
    context(Subject::Account { id: AccountId(Uuid::from_u128(9)), email: "a@example.com".to_owned() })
}

#[tokio::test]
async fn in_process_cache_is_always_empty() {
    let backend = TestBackend::in_process();
    let hash = hash();
    backend.stores.token_cache.put(&hash, &account()).await.unwrap();
    backend.stores.token_cache.set_membership(&hash, account().token_id, WorkspaceId(Uuid::nil()), true).await.unwrap();
    assert_eq!(backend.stores.token_cache.get_and_charge(&hash, &limit(60)).await.unwrap(), CachedToken::Unknown);
    backend.stores.token_cache.invalidate(&hash).await.unwrap();
    assert_eq!(backend.stores.token_cache.get_and_charge(&hash, &limit(60)).await.unwrap(), CachedToken::Unknown);
}

#[tokio::test]
async fn put_does_not_replace_an_invalidation() {
    let Some(backend) = TestBackend::redis() else { return };
    let (revoked, unknown, live) = (hash(), hash(), hash());
    backend.stores.token_cache.invalidate(&revoked).await.unwrap();
    backend.stores.token_cache.put(&revoked, &account()).await.unwrap();
    assert_eq!(backend.stores.token_cache.get_and_charge(&revoked, &limit(60)).await.unwrap(), CachedToken::Invalid);
    backend.stores.token_cache.put_unknown(&unknown).await.unwrap();
    backend.stores.token_cache.put(&unknown, &account()).await.unwrap();
    assert_eq!(backend.stores.token_cache.get_and_charge(&unknown, &limit(60)).await.unwrap(), CachedToken::Invalid);
    backend.stores.token_cache.put(&live, &account()).await.unwrap();
    backend.stores.token_cache.put_unknown(&live).await.unwrap();
    let found = backend.stores.token_cache.get_and_charge(&live, &limit(60)).await.unwrap();
    assert_eq!(found, CachedToken::Live(account(), LimitDecision::Allowed));
    backend.stores.token_cache.invalidate(&live).await.unwrap();
    assert_eq!(backend.stores.token_cache.get_and_charge(&live, &limit(60)).await.unwrap(), CachedToken::Invalid);
}

#[tokio::test]
async fn only_a_live_entry_charges_its_limit() {
    let Some(backend) = TestBackend::redis() else { return };
    let hash = hash();
    for _ in 0..5 {
        assert_eq!(backend.stores.token_cache.get_and_charge(&hash, &limit(3)).await.unwrap(), CachedToken::Unknown);
    }
    let sso = context(Subject::ExternalSso { email: "s@example.com".to_owned(), issuer: "https://idp".to_owned() });
    backend.stores.token_cache.put(&hash, &sso).await.unwrap();
    for _ in 0..3 {
        let found = backend.stores.token_cache.get_and_charge(&hash, &limit(3)).await.unwrap();
        assert_eq!(found, CachedToken::Live(sso.clone(), LimitDecision::Allowed));
    }
    for _ in 0..2 {
        let found = backend.stores.token_cache.get_and_charge(&hash, &limit(3)).await.unwrap();
        assert!(matches!(found, CachedToken::Live(_, LimitDecision::Limited(wait)) if wait.as_secs() < 20));
    }
    let off = backend.stores.token_cache.get_and_charge(&hash, &limit(0)).await.unwrap();
    assert_eq!(off, CachedToken::Live(sso.clone(), LimitDecision::Allowed));
    backend.advance_secs(20);
    let found = backend.stores.token_cache.get_and_charge(&hash, &limit(3)).await.unwrap();
    assert_eq!(found, CachedToken::Live(sso, LimitDecision::Allowed));
}

#[tokio::test]
async fn entry_has_the_format_that_dify_reads() {
    let (Some(backend), Some(mut connection)) = (TestBackend::redis(), direct_connection().await) else { return };
    let hash = hash();
    let key = format!("{}:auth:token:{}", backend.key_prefix, hash.expose());
    backend.stores.token_cache.put(&hash, &account()).await.unwrap();
    let value: String = redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
    let expected = concat!(
        r#"{"subject_email":"a@example.com","subject_issuer":"dify:account","#,
        r#""account_id":"00000000-0000-0000-0000-000000000009","client_id":"difyctl","#,
        r#""token_id":"00000000-0000-0000-0000-000000000007","#,
        r#""expires_at":"2027-01-15T08:00:00.000000+00:00","verified_tenants":{}}"#
    );
    assert_eq!(value, expected);
    let ttl: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await.unwrap();
    assert!((59..=60).contains(&ttl));
    backend.stores.token_cache.get_and_charge(&hash, &limit(60)).await.unwrap();
    let buckets: i64 = redis::cmd("EXISTS").arg(format!("rl:{{{key}}}")).query_async(&mut connection).await.unwrap();
    assert_eq!(buckets, 1, "the bucket's hash tag is the whole key");
    backend.stores.token_cache.invalidate(&hash).await.unwrap();
    let value: String = redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
    let ttl: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await.unwrap();
    assert_eq!((value.as_str(), (59..=60).contains(&ttl)), ("invalid", true));
}

/// The account's context with these memberships.
fn with_memberships(verdicts: &[(u128, bool)]) -> TokenContext {
    let verdicts = verdicts.iter().map(|(id, member)| (WorkspaceId(Uuid::from_u128(*id)), *member)).collect();
    TokenContext { verdicts: Some(verdicts), ..account() }
}

#[tokio::test]
async fn membership_is_set_only_in_the_live_entry_of_the_token() {
    let (Some(backend), Some(mut connection)) = (TestBackend::redis(), direct_connection().await) else { return };
    let hash = hash();
    let key = format!("{}:auth:token:{}", backend.key_prefix, hash.expose());
    let note = async |workspace, token_id: TokenId, member| {
        let workspace = WorkspaceId(Uuid::from_u128(workspace));
        backend.stores.token_cache.set_membership(&hash, token_id, workspace, member).await.unwrap();
    };
    let found = async || backend.stores.token_cache.get_and_charge(&hash, &limit(0)).await.unwrap();
    let (ours, other) = (account().token_id, TokenId(Uuid::from_u128(8)));
    note(1, ours, true).await;
    assert_eq!(found().await, CachedToken::Unknown, "no entry is created");
    backend.stores.token_cache.put(&hash, &account()).await.unwrap();
    let () = redis::cmd("EXPIRE").arg(&key).arg(30).query_async(&mut connection).await.unwrap();
    for (workspace, member) in [(1, true), (2, false), (3, true), (1, false), (3, true)] {
        note(workspace, ours, member).await;
    }
    note(4, other, true).await;
    assert_eq!(
        found().await,
        CachedToken::Live(with_memberships(&[(1, false), (2, false), (3, true)]), LimitDecision::Allowed)
    );
    let ttl: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await.unwrap();
    assert!((28..=30).contains(&ttl), "the expiry is unchanged: {ttl}");
    backend.stores.token_cache.invalidate(&hash).await.unwrap();
    note(1, ours, true).await;
    assert_eq!(found().await, CachedToken::Invalid, "an invalidation is not changed");
    // `null` for the account and members that only Dify knows are kept.
    let sso = concat!(
        r#"{"account_id": null, "token_id": "00000000-0000-0000-0000-000000000007", "later": "é\/","#,
        r#" "verified_tenants": null}"#
    );
    for garbage in [sso, "{", "[1]", "{}", ""] {
        let () = redis::cmd("SET").arg(&key).arg(garbage).arg("EX").arg(60).query_async(&mut connection).await.unwrap();
        note(1, ours, true).await;
        let value: String = redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
        if garbage != sso {
            assert_eq!(value, garbage);
            continue;
        }
        let value: serde_json::Value = serde_json::from_str(&value).unwrap();
        let noted = serde_json::json!({"00000000-0000-0000-0000-000000000001": true});
        assert_eq!((&value["account_id"], &value["verified_tenants"]), (&serde_json::Value::Null, &noted));
        assert_eq!(value["later"], "é/");
    }
    let () = redis::cmd("SET").arg(&key).arg(sso).query_async(&mut connection).await.unwrap();
    note(1, ours, true).await;
    let value: String = redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
    assert_eq!(value, sso, "an entry without an expiry is not changed");
}

#[tokio::test]
async fn entry_of_dify_is_read_and_invalid_entry_counts_as_absent() {
    let (Some(backend), Some(mut connection)) = (TestBackend::redis(), direct_connection().await) else { return };
    let hash = hash();
    let key = format!("{}:auth:token:{}", backend.key_prefix, hash.expose());
    let dify = concat!(
        r#"{"subject_email": "a@example.com", "subject_issuer": "dify:account", "#,
        r#""account_id": "00000000-0000-0000-0000-000000000009", "client_id": "difyctl", "#,
        r#""token_id": "00000000-0000-0000-0000-000000000007", "expires_at": "2027-01-15T08:00:00Z", "#,
        r#""verified_tenants": {"00000000-0000-0000-0000-000000000001": true}}"#
    );
    let verdicts = r#"{"00000000-0000-0000-0000-000000000001": true}"#;
    let wrong_verdicts = dify.replace(
        verdicts,
        concat!(
            r#"{"00000000-0000-0000-0000-000000000001": "yes", "all": true, "#,
            r#""00000000-0000-0000-0000-000000000002": false}"#
        ),
    );
    let no_verdicts = dify.replace(verdicts, "[7]");
    let deleted = dify.replace(r#""00000000-0000-0000-0000-000000000009""#, "null");
    let endless = dify.replace(r#""2027-01-15T08:00:00Z""#, "null");
    for (value, expected) in [
        (dify, CachedToken::Live(with_memberships(&[(1, true)]), LimitDecision::Allowed)),
        (&wrong_verdicts, CachedToken::Live(with_memberships(&[(2, false)]), LimitDecision::Allowed)),
        (&no_verdicts, CachedToken::Live(account(), LimitDecision::Allowed)),
        ("invalid", CachedToken::Invalid),
        (&deleted, CachedToken::Unknown),
        (&endless, CachedToken::Unknown),
        ("", CachedToken::Unknown),
        ("{", CachedToken::Unknown),
        ("{}", CachedToken::Unknown),
        ("[1]", CachedToken::Unknown),
    ] {
        let () = redis::cmd("SET").arg(&key).arg(value).query_async(&mut connection).await.unwrap();
        assert_eq!(backend.stores.token_cache.get_and_charge(&hash, &limit(60)).await.unwrap(), expected, "{value}");
    }
    let () = redis::cmd("SET").arg(&key).arg(b"{\xff\xfe".as_slice()).query_async(&mut connection).await.unwrap();
    assert_eq!(backend.stores.token_cache.get_and_charge(&hash, &limit(60)).await.unwrap(), CachedToken::Unknown);
    let () = redis::cmd("DEL").arg(&key).query_async(&mut connection).await.unwrap();
    let () = redis::cmd("HSET").arg(&key).arg("a").arg("b").query_async(&mut connection).await.unwrap();
    assert_eq!(backend.stores.token_cache.get_and_charge(&hash, &limit(60)).await.unwrap(), CachedToken::Unknown);
}
