//! The token cache that the service shares with Dify.

use dify_openapi::testing::{domain::sha256_hex, ports::Clock as _};
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

use crate::support::{
    Bearer, Dify, Stores,
    dify::{ALICE, ALICE_ID},
};

const ACCOUNT: &str = "/openapi/v1/account";
const SESSIONS: &str = "/openapi/v1/account/sessions";

/// The cache in Redis with the key prefix of a deployment.
pub(super) struct Cache {
    connection: MultiplexedConnection,
    prefix: String,
}

impl Cache {
    pub(super) async fn of(dify: &Dify) -> Self {
        let Stores::Servers { redis, .. } = &dify.stores else { panic!("Dify keeps its cache in Redis") };
        let client = redis::Client::open(redis.as_str()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        let prefix = dify.variable("REDIS_KEY_PREFIX");
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}:") };
        Self { connection, prefix }
    }

    fn key(&self, token: &str) -> String {
        format!("{}auth:token:{}", self.prefix, sha256_hex(token.as_bytes()))
    }

    pub(super) async fn get(&mut self, token: &str) -> Option<String> {
        redis::cmd("GET").arg(self.key(token)).query_async(&mut self.connection).await.unwrap()
    }

    pub(super) async fn ttl(&mut self, token: &str) -> i64 {
        redis::cmd("TTL").arg(self.key(token)).query_async(&mut self.connection).await.unwrap()
    }

    async fn set(&mut self, token: &str, value: &str, seconds: u32) {
        let key = self.key(token);
        let command = redis::cmd("SET").arg(key).arg(value).arg("EX").arg(seconds).to_owned();
        command.query_async::<()>(&mut self.connection).await.unwrap();
    }
}

/// An entry in the format of Dify: Python's `json.dumps` with spaces, and `isoformat()`.
fn entry(dify: &Dify, seconds: i64) -> String {
    let expires = (dify.clock.now() + chrono::TimeDelta::seconds(seconds)).format("%Y-%m-%dT%H:%M:%S%.6f+00:00");
    format!(
        "{{\"subject_email\": \"{ALICE}\", \"subject_issuer\": \"dify:account\", \"account_id\": \"{ALICE_ID}\", \
         \"client_id\": \"difyctl\", \"token_id\": \"01a1fb55-b0cf-77f2-a50a-d904e3e4de53\", \
         \"expires_at\": \"{expires}\", \
         \"verified_tenants\": {{\"f2adae0a-61c6-5c97-8b64-3778e6596247\": true}}}}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn token_cache_entries_have_the_format_of_dify() {
    // Without a prefix, Dify's default, the keys equal those of Dify.
    for variables in [&[][..], &[("REDIS_KEY_PREFIX", "")]] {
        let Some(dify) = Dify::start_with(variables).await else { return };
        let mut cache = Cache::of(&dify).await;
        let bearer = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
        assert_eq!(bearer.get(ACCOUNT).await.0, 200);
        let written: Value = serde_json::from_str(&cache.get(&bearer.token).await.unwrap()).unwrap();
        let expires = written["expires_at"].as_str().unwrap();
        assert!(expires.ends_with("+00:00") && expires.len() == 32, "as Python's fromisoformat reads it: {expires}");
        let row = dify.row("oauth_access_tokens", &bearer.token_id).await;
        let same = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        assert_eq!(same(expires), same(row["expires_at"].as_str().unwrap()));
        let expected = json!({
            "subject_email": ALICE,
            "subject_issuer": "dify:account",
            "account_id": ALICE_ID,
            "client_id": "difyctl",
            "token_id": bearer.token_id,
            "expires_at": expires,
            "verified_tenants": {},
        });
        assert_eq!(written, expected);
        assert!((1..=60).contains(&cache.ttl(&bearer.token).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_cache_entry_written_by_dify_is_used_unchanged() {
    let Some(dify) = Dify::start().await else { return };
    let mut cache = Cache::of(&dify).await;
    // No row has this token, so the entry alone decides.
    let token = format!("dfoa_{}", "c".repeat(43));
    let bearer = Bearer::with_token(&dify, &token, "");
    let written = entry(&dify, 3_600);
    cache.set(&token, &written, 60).await;
    let (status, body) = bearer.get(ACCOUNT).await;
    assert_eq!((status, &body["account"]["id"]), (200, &json!(ALICE_ID)), "{body}");
    assert_eq!(bearer.get(SESSIONS).await.0, 200);
    assert_eq!(cache.get(&token).await.unwrap(), written, "including its workspaces");
    cache.set(&token, &entry(&dify, -1), 60).await;
    assert_eq!(bearer.get(ACCOUNT).await.1["code"], "bearer_expired", "the expiry of the entry applies");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_marked_invalid_by_dify_is_rejected() {
    let Some(dify) = Dify::start().await else { return };
    let mut cache = Cache::of(&dify).await;
    let bearer = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    assert_eq!(bearer.get(ACCOUNT).await.0, 200);
    cache.set(&bearer.token, "invalid", 10).await;
    assert_eq!(bearer.get(ACCOUNT).await.1["code"], "bearer_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_and_rotated_tokens_are_marked_invalid_for_dify() {
    let Some(dify) = Dify::start().await else { return };
    let mut cache = Cache::of(&dify).await;
    let revoked = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    assert_eq!(revoked.get(ACCOUNT).await.0, 200);
    assert_eq!(revoked.delete(&format!("{SESSIONS}/self")).await.0, 200);
    let rotated = dify.issue_token(ALICE_ID, ALICE, "phone").await;
    assert_eq!(rotated.get(ACCOUNT).await.0, 200);
    Bearer::sign_in_with(&dify, &dify.browser(ALICE_ID), "phone").await;
    for bearer in [&revoked, &rotated] {
        assert_eq!(cache.get(&bearer.token).await.as_deref(), Some("invalid"));
        assert!((11..=60).contains(&cache.ttl(&bearer.token).await), "longer than a concurrent cache fill of Dify");
    }
    let unknown = Bearer::with_token(&dify, &format!("dfoa_{}", "u".repeat(43)), "");
    assert_eq!(unknown.get(ACCOUNT).await.1["code"], "bearer_invalid");
    assert_eq!(cache.get(&unknown.token).await.as_deref(), Some("invalid"));
    assert!((1..=10).contains(&cache.ttl(&unknown.token).await));
}
