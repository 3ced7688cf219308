//! Faults of one replica, in the order in which the workload has found them.

use std::time::Duration;

use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait as _};
use tokio::time::sleep;

use super::{
    deployment::Deployment,
    requests::{ACCOUNT, APPROVE, SESSIONS},
};
use crate::support::{Answer, Bearer, Browser, Device, server::OWNER, tcp_proxy::Traffic};

impl Deployment {
    /// A connection to PostgreSQL that no partition concerns.
    async fn database(&self) -> DatabaseConnection {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", self.postgres.primary().port);
        Database::connect(url).await.unwrap()
    }

    /// Waits until a statement of the service waits for a lock.
    async fn wait_for_lock(&self, database: &DatabaseConnection) {
        let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        for _ in 0..400 {
            let statement = Statement::from_string(DbBackend::Postgres, waiting);
            if database.query_one_raw(statement).await.unwrap().is_some() {
                return;
            }
            sleep(Duration::from_millis(25)).await;
        }
        panic!("no statement waits for a lock");
    }

    /// Waits until a grant is approved in Redis.
    async fn wait_for_approval(&self) {
        let client = redis::Client::open(self.redis.master().url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        for _ in 0..1_000 {
            let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
            for key in keys {
                let mut read = redis::cmd("HGET");
                let state = read.arg(key).arg("state").query_async::<Option<String>>(&mut connection).await;
                if state.is_ok_and(|state| state.as_deref() == Some("approved")) {
                    return;
                }
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("no grant is approved");
    }
}

/// Delays the end of a session in SQL, as a slow database does.
const SLOW_REVOCATION: &str = "
    CREATE FUNCTION wait() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(4); RETURN NEW; END $$ LANGUAGE plpgsql;
    CREATE TRIGGER wait BEFORE UPDATE ON oauth_access_tokens
        FOR EACH ROW WHEN (NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION wait()";

#[tokio::test(flavor = "multi_thread")]
async fn token_works_although_redis_did_not_confirm_its_approval() {
    let Some(deployment) = Deployment::start().await else { return };
    let [one, other] = &deployment.replicas;
    let browser = Browser::signed_in(&one.server, OWNER).await;
    let device = Device::start(&one.server, "laptop").await;
    let database = deployment.database().await;
    database.execute_unprepared(SLOW_REVOCATION).await.unwrap();
    // Holds the approval between its claim and its mint.
    let lock = database.begin().await.unwrap();
    lock.execute_unprepared("SELECT id FROM accounts FOR UPDATE").await.unwrap();
    let body = serde_json::json!({"user_code": device.user_code});
    let approval = tokio::spawn(Answer::to(browser.request(Method::POST, APPROVE).json(&body)));
    deployment.wait_for_lock(&database).await;
    // Longer than a command may take: Redis approves the grant after the replica has given up.
    deployment.redis.master().pause_writes(Duration::from_secs(3)).await;
    lock.rollback().await.unwrap();
    deployment.wait_for_approval().await;

    let delivered = device.poll_at(&other.server).await;
    assert_eq!(delivered.status, 200, "{}", delivered.text);
    assert_eq!(approval.await.unwrap().status, 503);
    let token = delivered.json()["token"].as_str().unwrap().to_owned();
    let bearer = Bearer::with_token(&other.server, &token, "");
    for _ in 0..60 {
        let used = Answer::to(bearer.request(Method::GET, ACCOUNT)).await;
        assert_eq!(used.status, 200, "{}", used.text);
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_token_does_not_revoke_the_session_that_replaced_it() {
    let Some(deployment) = Deployment::start().await else { return };
    let server = &deployment.replicas[0].server;
    let old = Bearer::sign_in(server, OWNER, "laptop").await;
    assert_eq!(old.get(ACCOUNT).await.0, 200);
    // Another sign-in of the device is about to commit.
    let database = deployment.database().await;
    let rotation = database.begin().await.unwrap();
    let new_hash = "0".repeat(64);
    let rotate = format!("UPDATE oauth_access_tokens SET token_hash = '{new_hash}' WHERE id = '{}'", old.token_id);
    rotation.execute_unprepared(&rotate).await.unwrap();
    let request = old.request(Method::DELETE, &format!("{SESSIONS}/self"));
    let sign_out = tokio::spawn(Answer::to(request));
    deployment.wait_for_lock(&database).await;
    rotation.commit().await.unwrap();
    let answer = sign_out.await.unwrap();
    assert_eq!(answer.status, 404, "{}", answer.text);
    let live = format!("oauth_access_tokens WHERE token_hash = '{new_hash}' AND revoked_at IS NULL");
    assert_eq!(crate::support::database::count(server, &live).await, 1);
    assert_eq!(old.get(ACCOUNT).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_that_is_not_found_at_one_replica_is_dead_there() {
    for path in ["self", "id"] {
        let Some(deployment) = Deployment::start().await else { return };
        let [one, other] = &deployment.replicas;
        let browser = Browser::signed_in(&one.server, OWNER).await;
        let keeper = Bearer::sign_in_with(&one.server, &browser, "keeper").await;
        let lost = Bearer::sign_in_with(&one.server, &browser, "lost").await;
        for replica in &deployment.replicas {
            assert_eq!(lost.at(&replica.server).get(ACCOUNT).await.0, 200);
        }
        one.redis.set_traffic(Traffic::Refused);
        let (caller, path) = if path == "self" { (&lost, "self") } else { (&keeper, lost.token_id.as_str()) };
        let path = format!("{SESSIONS}/{path}");
        assert_eq!(caller.delete(&path).await.0, 503);
        // The other replica has Redis, where the token is still cached.
        let again = caller.at(&other.server).delete(&path).await;
        assert_eq!(again.0, 404, "{}", again.1);
        assert_eq!(lost.at(&other.server).get(ACCOUNT).await.0, 401);
        assert_eq!(keeper.at(&other.server).get(ACCOUNT).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_that_cannot_end_the_token_that_it_replaces_changes_nothing() {
    let Some(deployment) = Deployment::start().await else { return };
    let [one, other] = &deployment.replicas;
    let browser = Browser::signed_in(&one.server, OWNER).await;
    let old = Bearer::sign_in_with(&one.server, &browser, "laptop").await;
    assert_eq!(old.at(&other.server).get(ACCOUNT).await.0, 200);
    let device = Device::start(&one.server, "laptop").await;
    // Holds the approval between its claim and its mint, and separates its replica from Redis meanwhile.
    let database = deployment.database().await;
    let lock = database.begin().await.unwrap();
    lock.execute_unprepared("SELECT id FROM accounts FOR UPDATE").await.unwrap();
    let body = serde_json::json!({"user_code": device.user_code});
    let approval = tokio::spawn(Answer::to(browser.request(Method::POST, APPROVE).json(&body)));
    deployment.wait_for_lock(&database).await;
    one.redis.set_traffic(Traffic::Refused);
    lock.rollback().await.unwrap();
    assert_eq!(approval.await.unwrap().status, 503);
    for replica in [one, other] {
        assert_eq!(old.at(&replica.server).get(ACCOUNT).await.0, 200);
    }
    // The next sign-in ends the token at once, also for the replica that does not reach Redis.
    let new = Bearer::sign_in_with(&other.server, &browser.at(&other.server), "laptop").await;
    for replica in [one, other] {
        assert_eq!(old.at(&replica.server).get(ACCOUNT).await.0, 401);
        assert_eq!(new.at(&replica.server).get(ACCOUNT).await.0, 200);
    }
}
