//! The token cache: shared through Redis with Dify, absent in process.

use std::collections::BTreeMap;

use chrono::DateTime;
use uuid::Uuid;

use super::{Stand, charge, raw};
use crate::{
    domain::{
        id::{AccountId, TokenId, WorkspaceId},
        limit::{Charge, LimitDecision, LimitName, Quota},
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
        verdicts: Some(BTreeMap::new()),
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
    stand.state.note_membership(&hash, account().token_id, WorkspaceId(Uuid::nil()), true).await.unwrap();
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
    assert_eq!(found, Cached::Live(account(), LimitDecision::Allowed));
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
        assert_eq!(found, Cached::Live(sso.clone(), LimitDecision::Allowed));
    }
    for _ in 0..2 {
        let found = stand.state.cached_token(&hash, &limit(3)).await.unwrap();
        assert!(matches!(found, Cached::Live(_, LimitDecision::Limited(wait)) if wait.as_secs() < 20));
    }
    let off = stand.state.cached_token(&hash, &limit(0)).await.unwrap();
    assert_eq!(off, Cached::Live(sso.clone(), LimitDecision::Allowed));
    stand.advance_secs(20);
    let found = stand.state.cached_token(&hash, &limit(3)).await.unwrap();
    assert_eq!(found, Cached::Live(sso, LimitDecision::Allowed));
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

/// The account's context with verdicts on workspaces.
fn known(verdicts: &[(u128, bool)]) -> TokenContext {
    let verdicts = verdicts.iter().map(|(id, member)| (WorkspaceId(Uuid::from_u128(*id)), *member)).collect();
    TokenContext { verdicts: Some(verdicts), ..account() }
}

#[tokio::test]
async fn a_membership_is_noted_in_the_tokens_own_entry_alone() {
    let (Some(stand), Some(mut raw)) = (Stand::redis(), raw().await) else { return };
    let hash = hash();
    let key = format!("{}:auth:token:{}", stand.prefix, hash.expose());
    let note = async |workspace, token_id: TokenId, member| {
        let workspace = WorkspaceId(Uuid::from_u128(workspace));
        stand.state.note_membership(&hash, token_id, workspace, member).await.unwrap();
    };
    let found = async || stand.state.cached_token(&hash, &limit(0)).await.unwrap();
    let (ours, other) = (account().token_id, TokenId(Uuid::from_u128(8)));
    note(1, ours, true).await;
    assert_eq!(found().await, Cached::Unknown, "no entry comes of it");
    stand.state.cache_token(&hash, &account()).await.unwrap();
    let () = redis::cmd("EXPIRE").arg(&key).arg(30).query_async(&mut raw).await.unwrap();
    for (workspace, member) in [(1, true), (2, false), (3, true), (1, false), (3, true)] {
        note(workspace, ours, member).await;
    }
    note(4, other, true).await;
    assert_eq!(found().await, Cached::Live(known(&[(1, false), (2, false), (3, true)]), LimitDecision::Allowed));
    let left: i64 = redis::cmd("TTL").arg(&key).query_async(&mut raw).await.unwrap();
    assert!((28..=30).contains(&left), "it lives no longer: {left}");
    stand.state.invalidate_token(&hash).await.unwrap();
    note(1, ours, true).await;
    assert_eq!(found().await, Cached::Invalid, "an invalidation stays one");
    // An account's null stays null, and what Dify wrote stays Dify's.
    let sso = r#"{"account_id": null, "token_id": "00000000-0000-0000-0000-000000000007", "later": "é\/", "verified_tenants": null}"#;
    for garbage in [sso, "{", "[1]", "{}", ""] {
        let () = redis::cmd("SET").arg(&key).arg(garbage).arg("EX").arg(60).query_async(&mut raw).await.unwrap();
        note(1, ours, true).await;
        let value: String = redis::cmd("GET").arg(&key).query_async(&mut raw).await.unwrap();
        if garbage != sso {
            assert_eq!(value, garbage);
            continue;
        }
        let value: serde_json::Value = serde_json::from_str(&value).unwrap();
        let noted = serde_json::json!({"00000000-0000-0000-0000-000000000001": true});
        assert_eq!((&value["account_id"], &value["verified_tenants"]), (&serde_json::Value::Null, &noted));
        assert_eq!(value["later"], "é/");
    }
    let () = redis::cmd("SET").arg(&key).arg(sso).query_async(&mut raw).await.unwrap();
    note(1, ours, true).await;
    let value: String = redis::cmd("GET").arg(&key).query_async(&mut raw).await.unwrap();
    assert_eq!(value, sso, "an entry that never ends is none of ours");
}

#[tokio::test]
async fn what_dify_wrote_is_read_and_garbage_is_nothing() {
    let (Some(stand), Some(mut raw)) = (Stand::redis(), raw().await) else { return };
    let hash = hash();
    let key = format!("{}:auth:token:{}", stand.prefix, hash.expose());
    let dify = r#"{"subject_email": "a@example.com", "subject_issuer": "dify:account", "account_id": "00000000-0000-0000-0000-000000000009", "client_id": "difyctl", "token_id": "00000000-0000-0000-0000-000000000007", "expires_at": "2027-01-15T08:00:00Z", "verified_tenants": {"00000000-0000-0000-0000-000000000001": true}}"#;
    let verdicts = r#"{"00000000-0000-0000-0000-000000000001": true}"#;
    let wrong_verdicts = dify.replace(
        verdicts,
        r#"{"00000000-0000-0000-0000-000000000001": "yes", "all": true, "00000000-0000-0000-0000-000000000002": false}"#,
    );
    let no_verdicts = dify.replace(verdicts, "[7]");
    let deleted = dify.replace(r#""00000000-0000-0000-0000-000000000009""#, "null");
    let endless = dify.replace(r#""2027-01-15T08:00:00Z""#, "null");
    for (value, expected) in [
        (dify, Cached::Live(known(&[(1, true)]), LimitDecision::Allowed)),
        (&wrong_verdicts, Cached::Live(known(&[(2, false)]), LimitDecision::Allowed)),
        (&no_verdicts, Cached::Live(account(), LimitDecision::Allowed)),
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
