//! The cache of sealed connections that the replicas share: a cached answer needs no SQL, and every write removes it.

use std::time::Duration;

use super::*;
use crate::support::{
    database::{account_id, dump_redis_keys, execute, text},
    logs::Logs,
    redis_process::RedisProcess,
};

const OLD_KEY: &str = "an old secret of the tests and long enough";

/// An API key whose credentials replicas read, and what a test changes beside it.
struct Cached {
    server: ConnectionServer,
    replica: TestServer,
    member: Person,
    body: Value,
    /// The last number that was written into its row past the service.
    mark: i64,
}

impl Cached {
    async fn start(stores: Stores) -> Self {
        let server = ConnectionServer::bare_with(stores, &[("SECRET_KEY", OLD_KEY)]).await;
        server.set_client().await;
        let replica = server.replica().await;
        let member = server.browser(MEMBER).await;
        let id = member.add_key("Probe").await;
        let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
        Self { server, replica, member, body, mark: 4_000_000_000 }
    }

    /// `expires_at` of the credentials that each replica returns. An API key is not refreshed.
    async fn read(&self) -> [i64; 2] {
        let mut read = [0; 2];
        for (read, server) in read.iter_mut().zip([&self.server.server, &self.replica]) {
            let answer = call_service(server, "credentials", &self.body).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            *read = answer.json()["expires_at"].as_i64().unwrap();
        }
        read
    }

    /// Changes the row past the service, which does not see it while the old one is cached.
    async fn mark_row(&mut self) -> i64 {
        self.mark += 1;
        let id = self.body["credential_id"].as_str().unwrap();
        let update = format!("UPDATE tool_builtin_providers SET expires_at = {} WHERE id = '{id}'", self.mark);
        assert_eq!(execute(&self.server, &update).await, 1);
        self.mark
    }

    /// Caches the row, and changes it past the service.
    async fn prime(&mut self) {
        let [cached, _] = self.read().await;
        self.mark_row().await;
        assert_eq!(self.read().await, [cached; 2], "the row is cached");
    }

    async fn assert_removed(&self, write: &str) {
        assert_eq!(self.read().await, [self.mark; 2], "{write} removes the row from the cache");
    }
}

impl Person {
    /// Adds an API key and returns its id.
    async fn add_key(&self, name: &str) -> String {
        let key = json!({"credentials": {"api_key": format!("key-of-{name}")}, "name": name});
        assert_eq!(self.post(&provider_path("add"), &key).await.0, 200);
        let credentials = self.credentials().await;
        credentials.iter().find(|one| one["name"] == name).unwrap()["id"].as_str().unwrap().to_owned()
    }

    async fn change(&self, path: &str, body: Value) {
        let (status, answer) = self.post(&provider_path(path), &body).await;
        assert_eq!(status, 200, "{path} {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_of_a_person_removes_what_is_cached() {
    let Some(stores) = Stores::servers().await else { return };
    let mut cached = Cached::start(stores).await;
    let id = cached.body["credential_id"].as_str().unwrap().to_owned();
    let other = cached.member.add_key("Other").await;
    for (path, body) in [
        ("add", json!({"credentials": {"api_key": "k"}, "name": "New"})),
        ("update", json!({"credential_id": id, "name": "Renamed"})),
        ("update", json!({"credential_id": id, "visibility": "all_team_members"})),
        ("update", json!({"credential_id": id, "visibility": "only_me"})),
        ("update", json!({"credential_id": id, "credentials": {"api_key": "another"}})),
        ("default-credential", json!({"id": other})),
        ("default-credential", json!({"id": id})),
        ("delete", json!({"credential_id": other})),
    ] {
        cached.prime().await;
        cached.member.change(path, body.clone()).await;
        cached.assert_removed(&format!("{path} {body}")).await;
    }
    cached.prime().await;
    let connected = cached.member.connect().await;
    cached.assert_removed("an authorization").await;
    cached.prime().await;
    let request = cached.member.start(&format!("?credential_id={connected}")).await;
    cached.member.follow(&cached.member.consent(&request)).await;
    cached.assert_removed("another authorization of a connection").await;
    cached.member.change("delete", json!({"credential_id": id})).await;
    for server in [&cached.server.server, &cached.replica] {
        assert_eq!(call_service(server, "credentials", &cached.body).await.outcome(), (404, "not_found".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_of_the_service_removes_what_is_cached() {
    let Some(stores) = Stores::servers().await else { return };
    let mut cached = Cached::start(stores).await;
    let id = cached.member.connect().await;
    let mut oauth = cached.body.clone();
    oauth["credential_id"] = json!(id);
    assert_eq!(cached.server.service("credentials", &oauth).await.status, 200);
    cached.server.advance(60);
    cached.prime().await;
    assert_eq!(cached.server.service("report-invalid", &oauth).await.status, 200);
    cached.assert_removed("a refresh after a report").await;
    cached.server.advance(3_600 - 300);
    cached.prime().await;
    cached.server.running().app.jobs().refresh_connections().await.unwrap();
    assert_eq!(cached.server.provider.refreshes(), 2);
    cached.assert_removed("a refresh ahead of time").await;
    cached.server.advance(3_600 - 30);
    cached.server.provider.set_fault(Fault::Down);
    cached.prime().await;
    assert_eq!(cached.server.service("credentials", &oauth).await.status, 200);
    cached.assert_removed("a failed refresh").await;
    cached.server.provider.set_fault(Fault::Error("invalid_grant"));
    cached.server.advance(10);
    cached.prime().await;
    assert_eq!(cached.server.service("credentials", &oauth).await.status, 409);
    cached.assert_removed("a rejected refresh").await;
    cached.prime().await;
    assert_eq!(cached.server.service("report-invalid", &cached.body).await.status, 409);
    for server in [&cached.server.server, &cached.replica] {
        assert_eq!(call_service(server, "credentials", &cached.body).await.status, 409, "the report is in force");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_removes_what_is_cached() {
    let Some(stores) = Stores::servers().await else { return };
    let mut cached = Cached::start(stores).await;
    let other = cached.member.add_key("Other").await;
    cached.prime().await;
    let revoked = cached.server.command(&["connection", "revoke", &other, "--yes"], "");
    assert!(revoked.status.success());
    cached.assert_removed("connection revoke").await;
    cached.prime().await;
    let previous = format!("old:{OLD_KEY}");
    let new_key = [("SECRET_KEY", "a new secret of the tests and long enough"), ("SECRET_KEYS_PREVIOUS", &previous)];
    let rotated = cached.server.command_with(&new_key, &["connection", "rotate-keys"]);
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    // These replicas do not know the new key, and so do not use what it has sealed.
    let answer = cached.server.service("credentials", &cached.body).await;
    assert_eq!(answer.status, 500, "{}", answer.text);
    let replica = cached.server.replica_with(&new_key).await;
    assert_eq!(call_service(&replica, "credentials", &cached.body).await.json()["expires_at"], cached.mark);
    let deleted = cached.server.command(&["account", "delete", MEMBER, "--yes"], "");
    assert!(deleted.status.success());
    assert_eq!(call_service(&replica, "credentials", &cached.body).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn account_that_has_left_gets_nothing_from_the_cache() {
    let Some(stores) = Stores::servers().await else { return };
    let mut cached = Cached::start(stores).await;
    let account = account_id(&cached.server, MEMBER).await;
    for selection in ["credential_id", "account_id"] {
        let mut body = json!({"tenant_id": cached.body["tenant_id"], "provider": PROVIDER, "account_id": account});
        if selection == "credential_id" {
            body["credential_id"] = cached.body["credential_id"].clone();
        }
        let read = cached.server.service("credentials", &body).await.json()["expires_at"].clone();
        cached.mark_row().await;
        assert_eq!(cached.server.service("credentials", &body).await.json()["expires_at"], read, "it is cached");
        let mut of_owner = body.clone();
        of_owner["account_id"] = json!(account_id(&cached.server, OWNER).await);
        assert_eq!(cached.server.service("credentials", &of_owner).await.status, 404, "it is private");
        for (change, back) in [
            ("UPDATE accounts SET status = 'banned'", "UPDATE accounts SET status = 'active'"),
            ("UPDATE tenants SET status = 'archive'", "UPDATE tenants SET status = 'normal'"),
        ] {
            execute(&cached.server, change).await;
            assert_eq!(cached.server.service("credentials", &body).await.status, 404, "{change}");
            execute(&cached.server, back).await;
        }
    }
    let removed = cached.server.command(&["workspace", "remove-member", "Demo Workspace", MEMBER], "");
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    let body = json!({"tenant_id": cached.body["tenant_id"], "provider": PROVIDER, "account_id": account});
    assert_eq!(cached.server.service("credentials", &body).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_reads_are_audited_and_counted_as_uses() {
    let Some(stores) = Stores::servers().await else { return };
    let logs = Logs::capture();
    let cached = Cached::start(stores).await;
    let used = async || text(&cached.server, "SELECT last_used_at::text FROM openapi_connections").await.unwrap();
    cached.read().await;
    let first = used().await;
    cached.read().await;
    cached.server.advance(1_800);
    cached.read().await;
    assert_eq!(used().await, first, "one write an hour");
    cached.server.advance(1_900);
    cached.read().await;
    assert_ne!(used().await, first);
    let id = format!("connection_id={}", cached.body["credential_id"].as_str().unwrap());
    let events = logs.matching(&["INFO audit", "connection.credentials_read", &id, "reader=\"service\""]);
    assert_eq!(events.len(), 8, "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_holds_sealed_values_only() {
    let Some(stores) = Stores::servers().await else { return };
    let Stores::Servers { prefix, .. } = &stores else { return };
    let pattern = format!("{prefix}:openapi:connections:*");
    let mut cached = Cached::start(stores).await;
    cached.prime().await;
    let mut oauth = cached.body.clone();
    oauth["credential_id"] = json!(cached.member.connect().await);
    cached.server.service("credentials", &oauth).await;
    let redis = dump_redis_keys(&cached.server, &pattern).await;
    assert!(redis.contains(oauth["credential_id"].as_str().unwrap()), "{redis}");
    let secrets = [vec!["key-of-Probe".to_owned()], cached.server.provider.secrets()].concat();
    assert!(secrets.len() > 2);
    for secret in secrets {
        assert!(!redis.contains(&secret), "{secret} in {redis}");
    }
}

/// Without Redis SQL answers, and when it is back nothing old is served.
#[tokio::test(flavor = "multi_thread")]
async fn outage_of_redis_never_serves_an_old_row() {
    let (Some(Stores::Servers { database, prefix, .. }), Some(redis)) =
        (Stores::servers().await, RedisProcess::start().await)
    else {
        return;
    };
    let mut cached = Cached::start(Stores::Servers { database, redis: redis.url(), prefix }).await;
    cached.prime().await;
    // The entry outlives the outage.
    redis.pause();
    assert_eq!(cached.read().await, [cached.mark; 2], "SQL answers");
    let marked = cached.mark_row().await;
    let rename = json!({"credential_id": cached.body["credential_id"], "name": "Renamed"});
    cached.member.change("update", rename).await;
    assert_eq!(cached.read().await, [marked; 2], "SQL answers");
    redis.resume();
    assert_eq!(cached.read().await, [marked; 2]);
    // The removal is tried again.
    let id = cached.body["credential_id"].as_str().unwrap();
    while dump_redis_keys(&cached.server, "*openapi:connections:*").await.contains(id) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Both use the cache again after a while.
    cached.server.advance(40);
    assert_eq!(cached.read().await, [marked; 2]);
    cached.prime().await;
}

#[test]
fn every_statement_that_writes_connections_removes_what_is_cached() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut callers = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let code: String = std::fs::read_to_string(&path).unwrap_or_default().split_whitespace().collect();
            for statement in [
                "create_connection",
                "replace_credentials",
                "change_connection",
                "make_default",
                "delete_connection",
                "mark_active",
                "mark_reauthorization_required",
                "mark_refresh_failed",
            ] {
                if code.contains(&format!("sql.{statement}(")) && !path.to_string_lossy().contains("/store/sql/tests/")
                {
                    callers.insert(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
    }
    assert_eq!(Vec::from_iter(callers), ["rows.rs"]);
}
