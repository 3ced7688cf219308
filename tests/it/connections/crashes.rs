//! A process that is killed with SIGKILL while it exchanges a code or refreshes a token: before the provider answers,
//! between the answer and the store, and after the store. After a restart there is at most one connection, the stored
//! token is the newest one or a person must authorize again, and no secret has left the encrypted columns.

use std::time::Duration;

use reqwest::RequestBuilder;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, TransactionTrait as _};

use tokio::time::timeout;

use super::*;
use crate::support::{
    database::{connect, count, dump, dump_redis_keys, text},
    logs::Logs,
    redis_process::RedisProcess,
    server::SECRET_KEY,
    server_process::ServerProcess,
};

on_both_stores!(killed_exchange_connects_at_most_once, killed_refresh_keeps_the_newest_token);

/// When the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The provider has the request and has not processed it.
    BeforeAnswer,
    /// The provider has answered, and nothing is stored.
    AfterAnswer,
    AfterStore,
}

impl Moment {
    const ALL: [Self; 3] = [Self::BeforeAnswer, Self::AfterAnswer, Self::AfterStore];
}

/// The time limit of one kill.
const KILL_TIMEOUT: Duration = Duration::from_mins(1);
/// Longer than the lease of a refresh, in seconds.
const AFTER_LEASE: i64 = 31;
/// Shorter than the time before its expiry in which a token is refreshed on demand, in seconds.
const DUE_AT_ONCE: i64 = 30;

/// A server whose process is killed, and what it has written.
struct CrashingServer {
    server: ConnectionServer,
    redis: Option<RedisProcess>,
    logs: Logs,
    /// What the killed processes have written.
    output: String,
    /// The bodies of errors.
    errors: String,
    /// Secrets besides those of the provider.
    secrets: Vec<String>,
}

impl CrashingServer {
    async fn start(stores: Stores) -> Self {
        let logs = Logs::capture();
        let (stores, redis) = with_own_redis(stores).await;
        let server = ConnectionServer::start(stores).await;
        let secrets = [CLIENT_SECRET, SERVICE_KEY, SECRET_KEY].map(str::to_owned).to_vec();
        Self { server, redis, logs, output: String::new(), errors: String::new(), secrets }
    }

    /// A browser whose cookies are secrets.
    async fn member(&mut self) -> Person {
        let member = self.server.browser(MEMBER).await;
        self.secrets.extend(member.cookies.values().cloned());
        member
    }

    /// Replaces the server by a process, sends it a request, kills it at the moment, and starts the server again.
    async fn kill(&mut self, moment: Moment, process: ServerProcess, request: RequestBuilder) {
        let provider = self.server.provider.clone();
        provider.forget_answers();
        provider.hold();
        let response = tokio::spawn(request.send());
        let killed = timeout(KILL_TIMEOUT, kill_at(moment, &self.server, process)).await;
        self.output += &killed.unwrap_or_else(|_| panic!("the moment {moment:?} has come"));
        let response = response.await.unwrap();
        assert!(moment == Moment::AfterStore || response.is_err(), "{moment:?}: {response:?}");
        self.server.server.resume().await;
    }

    /// An answer that is an error.
    async fn error(&mut self, path: &str, body: &Value) -> (u16, String) {
        let answer = self.server.service(path, body).await;
        self.errors += &answer.text;
        answer.outcome()
    }

    /// Searches everything that was written and stored for every secret.
    async fn assert_no_secret_has_leaked(&self) {
        let redis = dump_redis_keys(&self.server, "*").await;
        assert_eq!(redis.is_empty(), self.redis.is_none(), "{redis}");
        let (rows, events, lines) = (dump(&self.server).await, self.logs.events().join("\n"), self.logs.lines());
        assert!(rows.contains("tool_builtin_providers") && self.output.contains("serving"), "{}", self.output);
        let secrets: Vec<_> = self.secrets.iter().chain(&self.server.provider.secrets()).cloned().collect();
        assert!(secrets.len() > 20, "{}", secrets.len());
        for (place, written) in [
            ("the output of a process", &self.output),
            ("events", &events),
            ("log lines", &lines),
            ("an error", &self.errors),
            ("Redis", &redis),
            ("SQL", &rows),
        ] {
            for secret in &secrets {
                if let Some(line) = written.lines().find(|line| line.contains(secret)) {
                    panic!("{secret} appears in {place}: {line}");
                }
            }
        }
    }
}

/// Kills a process at the moment. Returns what it has written.
async fn kill_at(moment: Moment, server: &ConnectionServer, process: ServerProcess) -> String {
    let provider = &server.provider;
    provider.wait_for_request().await;
    match moment {
        Moment::BeforeAnswer => {
            let output = process.kill();
            provider.wait_until_abandoned().await;
            provider.release();
            output
        }
        Moment::AfterAnswer => {
            let lock = WriteLock::acquire(server).await;
            provider.release();
            provider.wait_for_answer().await;
            lock.wait_for_writer(server).await;
            let output = process.kill();
            lock.release().await;
            output
        }
        Moment::AfterStore => {
            let before = newest_row(server).await;
            provider.release();
            while newest_row(server).await == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            process.kill()
        }
    }
}

/// The same stores with a Redis that no other test uses.
async fn with_own_redis(stores: Stores) -> (Stores, Option<RedisProcess>) {
    match stores {
        Stores::Servers { database, prefix, .. } => {
            let process = RedisProcess::start().await.unwrap();
            (Stores::Servers { database, redis: process.url(), prefix }, Some(process))
        }
        Stores::Sqlite => (Stores::Sqlite, None),
    }
}

/// The values of the connection that was stored last.
async fn newest_row(server: &TestServer) -> Option<String> {
    let newest = "SELECT encrypted_credentials FROM tool_builtin_providers ORDER BY updated_at DESC LIMIT 1";
    text(server, newest).await
}

/// Connections cannot be written while it exists.
struct WriteLock(DatabaseConnection, DatabaseTransaction);

impl WriteLock {
    async fn acquire(server: &TestServer) -> Self {
        let database = connect(server).await;
        let transaction = database.begin().await.unwrap();
        let lock = match database.get_database_backend() {
            // The first write locks the whole database.
            DbBackend::Sqlite => "UPDATE tool_builtin_providers SET name = name",
            _ => "LOCK TABLE tool_builtin_providers IN SHARE ROW EXCLUSIVE MODE",
        };
        transaction.execute_unprepared(lock).await.unwrap();
        Self(database, transaction)
    }

    /// Waits for a statement that waits for the lock. SQLite does not show it.
    async fn wait_for_writer(&self, server: &TestServer) {
        let is_visible = self.0.get_database_backend() != DbBackend::Sqlite;
        while is_visible && count(server, &format!("pg_stat_activity WHERE {WAITING}")).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// PostgreSQL would execute the statements of a process that has ended, so they are stopped first.
    async fn release(self) {
        if self.0.get_database_backend() != DbBackend::Sqlite {
            let stop = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {WAITING}");
            self.0.execute_unprepared(&stop).await.unwrap();
        }
        self.1.rollback().await.unwrap();
        self.0.close().await.unwrap();
    }
}

/// Statements that wait for a lock.
const WAITING: &str = "datname = current_database() AND wait_event_type = 'Lock'";

async fn killed_exchange_connects_at_most_once(stores: Stores) {
    let mut crashing = CrashingServer::start(stores).await;
    for moment in Moment::ALL {
        let mut member = crashing.member().await;
        let before = member.credentials().await.len();
        crashing.server.server.halt().await;
        let process = ServerProcess::start(&crashing.server).await;
        let callback = {
            let request = member.start("").await;
            member.consent(&request)
        };
        crashing.kill(moment, process, member.bare(Method::GET, &callback)).await;
        let added = member.credentials().await.len() - before;
        assert_eq!(added, usize::from(moment == Moment::AfterStore), "{moment:?}");
        // The same callback again. Without Redis the state may be used again, and then the provider decides.
        let location = member.follow(&callback).await;
        let is_forgotten = crashing.redis.is_none();
        match (moment, is_forgotten) {
            (Moment::BeforeAnswer, true) => assert_eq!(location, crashing.server.at("/oauth-callback")),
            (_, true) => assert_eq!(error_of(&location), "rejected", "{moment:?}"),
            (_, false) => assert_eq!(error_of(&location), "invalid_state", "{moment:?}"),
        }
        crashing.errors += &location;
        let connected = member.credentials().await.len();
        let is_connected = moment == Moment::AfterStore || (moment == Moment::BeforeAnswer && is_forgotten);
        assert_eq!(connected - before, usize::from(is_connected), "{moment:?}");
        // A new authorization works.
        member.connect().await;
        assert_eq!(member.credentials().await.len(), connected + 1, "{moment:?}");
    }
    crashing.assert_no_secret_has_leaked().await;
}

async fn killed_refresh_keeps_the_newest_token(stores: Stores) {
    let mut crashing = CrashingServer::start(stores).await;
    let workspace = crashing.server.workspace().await;
    for moment in Moment::ALL {
        let mut member = crashing.member().await;
        let provider = crashing.server.provider.clone();
        provider.set_fault(Fault::ExpiresIn(json!(DUE_AT_ONCE)));
        let id = member.connect().await;
        provider.set_fault(Fault::None);
        let body = json!({"tenant_id": workspace, "provider": PROVIDER, "credential_id": id});
        let (refreshes, rejected) = (provider.refreshes(), provider.rejected());
        crashing.server.server.halt().await;
        let process = ServerProcess::start(&crashing.server).await;
        let request = reqwest::Client::new()
            .post(process.inner("/inner/api/connections/credentials"))
            .header("enterprise-api-secret-key", SERVICE_KEY)
            .json(&body);
        crashing.kill(moment, process, request).await;
        crashing.server.advance(AFTER_LEASE);
        if moment == Moment::AfterAnswer {
            // The provider has rotated the token, and its answer is lost.
            for _ in 0..2 {
                let found = crashing.error("credentials", &body).await;
                assert_eq!(found, (409, "reauthorization_required".to_owned()), "{moment:?}");
            }
            assert_eq!((provider.refreshes(), provider.rejected()), (refreshes + 2, rejected + 1), "{moment:?}");
            let credentials = member.credentials().await;
            assert_eq!(
                [&credentials[0]["status"], &credentials[0]["reason"]],
                ["reauthorization_required", "invalid_grant"]
            );
            let request = member.start(&format!("?credential_id={id}")).await;
            let location = member.follow(&member.consent(&request)).await;
            assert_eq!(location, crashing.server.at("/oauth-callback"));
        }
        let answer = crashing.server.service("credentials", &body).await;
        assert_eq!(answer.status, 200, "{moment:?}: {}", answer.text);
        let values = answer.json()["values"].clone();
        assert_eq!(provider.secrets().last().unwrap(), values["refresh_token"].as_str().unwrap(), "{moment:?}");
        let expected = refreshes + if moment == Moment::AfterAnswer { 2 } else { 1 };
        assert_eq!(provider.refreshes(), expected, "{moment:?}");
        // The stored refresh token is accepted.
        crashing.server.advance(3_600);
        let later = crashing.server.service("credentials", &body).await;
        assert_eq!(later.status, 200, "{moment:?}: {}", later.text);
        assert_ne!(later.json()["values"]["access_token"], values["access_token"]);
        crashing.server.advance(-3_600 - AFTER_LEASE);
        let deleted = member.post(&provider_path("delete"), &json!({"credential_id": id})).await;
        assert_eq!(deleted.0, 200, "{moment:?}");
    }
    assert!(crashing.errors.contains("invalid_grant"));
    crashing.assert_no_secret_has_leaked().await;
}
