//! Commands of an operator, and the running servers that write their events to the audit log.

use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::Value;

use crate::support::{
    Bearer, Dify,
    command::succeeded,
    dify::{self, ALICE, ALICE_ID},
    server::free_port,
    server_process::ServerProcess,
};

const ACCOUNT: &str = "/openapi/v1/account";

/// The audit events of an operator in the log of a server.
fn events_of(operator: &str, log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "audit" && line["operator"] == operator).collect()
}

/// Waits until no event waits for a server.
async fn wait_until_written(database: &str) {
    let database = Database::connect(database).await.unwrap();
    for _ in 0..600 {
        let waiting = Statement::from_string(DbBackend::Postgres, "SELECT 1 FROM openapi_operator_events LIMIT 1");
        if database.query_one_raw(waiting).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no replica has written the events");
}

#[tokio::test(flavor = "multi_thread")]
async fn event_of_a_command_is_in_the_log_of_one_of_two_replicas_once() {
    let Some(mut dify) = Dify::start_with(&[("LOG_OUTPUT_FORMAT", "json")]).await else { return };
    let mut other = dify.replica_with(&[("LISTEN", &format!("127.0.0.1:{}", free_port()))]).await;
    let revoked = dify.issue_token(ALICE_ID, ALICE, "stolen laptop").await;
    let kept = dify.issue_token(ALICE_ID, ALICE, "desktop").await;
    dify.0.halt().await;
    other.halt().await;
    let processes = [ServerProcess::start(&dify).await, ServerProcess::start(&other).await];
    let at_both = |bearer: &Bearer| [&*dify, &other].map(|server| bearer.at(server));
    for bearer in [&revoked, &kept].into_iter().flat_map(at_both) {
        assert_eq!(bearer.get(ACCOUNT).await.0, 200);
    }

    let operator = format!("grace {}", uuid::Uuid::new_v4());
    let revoke = ["token", "revoke", "--id", &revoked.token_id, "--yes"];
    let (_, printed) = succeeded(dify.command_with(&[("OPERATOR", &operator)], &revoke));
    assert!(printed.contains("operator.command") && !printed.contains("were not stored"), "{printed}");
    for (bearer, status) in [(&revoked, 401), (&kept, 200)] {
        for bearer in at_both(bearer) {
            assert_eq!(bearer.get(ACCOUNT).await.0, status);
        }
    }
    // The job of a replica writes the events before it deletes them.
    wait_until_written(dify::url(&dify.stores)).await;

    let events: Vec<_> = processes.into_iter().flat_map(|process| events_of(&operator, &process.kill())).collect();
    let names: Vec<_> = events.iter().map(|event| (event["event"].as_str(), event["command"].as_str())).collect();
    let expected = [(Some("oauth.session_revoked"), None), (Some("operator.command"), Some("token revoke"))];
    assert_eq!(names, expected, "{events:#?}");
    assert_eq!(events[0]["token_id"], revoked.token_id.as_str());
    assert!(
        events.iter().all(|event| event["recorded_at"].is_string() && event["event_id"].is_string()),
        "{events:#?}"
    );
}
