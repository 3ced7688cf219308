//! Changes of a connection while a refresh of it is in progress.

use std::time::Duration;

use dify_openapi::testing::ports::Clock as _;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

use super::*;
use crate::support::database::{connect, count, execute, text};

on_both_stores!(
    tokens_that_were_issued_for_a_deleted_connection_are_revoked,
    deleted_connection_leaves_no_state,
    tokens_beyond_the_limit_of_connections_are_revoked
);

async fn connected(stores: Stores) -> (ConnectionServer, Person, Value) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let id = member.connect().await;
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
    (server, member, body)
}

/// Deletes the connection while a refresh waits for the provider. Returns the answer of the refresh.
async fn delete_during_refresh(server: &ConnectionServer, body: &Value) -> Answer {
    server.advance(3_600);
    // The browser session is as old as the token.
    let member = server.browser(MEMBER).await;
    let delete = async {
        server.provider.wait_for_request().await;
        let id = json!({"credential_id": body["credential_id"]});
        assert_eq!(member.post(&provider_path("delete"), &id).await.0, 200);
        server.provider.release();
    };
    tokio::join!(server.service("credentials", body), delete).0
}

async fn tokens_that_were_issued_for_a_deleted_connection_are_revoked(stores: Stores) {
    let (server, _, body) = connected(stores).await;
    // The provider rotates the token before the deletion, and its answer arrives after it.
    server.provider.hold_answers();
    let answer = delete_during_refresh(&server, &body).await;
    assert_eq!(answer.outcome(), (404, "not_found".to_owned()));
    assert_eq!(server.provider.refreshes(), 1);
    assert_eq!(server.provider.refresh_tokens(), Vec::<String>::new(), "{:?}", server.provider.revoked());
}

async fn deleted_connection_leaves_no_state(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let workspace = server.workspace().await;
    for fault in [Fault::Down, Fault::Error("invalid_grant")] {
        let id = server.browser(MEMBER).await.connect().await;
        let body = json!({"tenant_id": workspace, "provider": PROVIDER, "credential_id": id});
        server.provider.set_fault(fault.clone());
        server.provider.hold();
        let answer = delete_during_refresh(&server, &body).await;
        assert!(matches!(answer.status, 404 | 502), "{fault:?}: {}", answer.text);
        assert_eq!(count(&server, "openapi_connections").await, 0, "{fault:?}");
        server.provider.set_fault(Fault::None);
    }
}

async fn tokens_beyond_the_limit_of_connections_are_revoked(stores: Stores) {
    let (server, mut member, _) = connected(stores).await;
    let request = member.start("").await;
    let kept = server.provider.refresh_tokens();
    for number in 2..=20 {
        let key = json!({"credentials": {"api_key": "key-of-the-tests"}, "name": format!("Key {number}")});
        assert_eq!(member.post(&provider_path("add"), &key).await.0, 200);
    }
    assert_eq!(error_of(&member.follow(&member.consent(&request)).await), "too_many");
    assert_eq!(member.credentials().await.len(), 20);
    assert_eq!(server.provider.refresh_tokens(), kept, "the new token is revoked");
    let key = json!({"credentials": {"api_key": "key-of-the-tests"}});
    let (status, body) = member.post(&provider_path("add"), &key).await;
    assert_eq!((status, body["code"].as_str()), (422, Some("invalid_param")), "{body}");
    // The places of others are free, and administrators have no share.
    let owner = server.browser(OWNER).await;
    for _ in 0..21 {
        assert_eq!(owner.post(&provider_path("add"), &key).await.0, 200);
    }
}

/// The provider rejects the old token while a person authorizes again: the connection stays authorized.
#[tokio::test(flavor = "multi_thread")]
async fn rejected_refresh_does_not_mark_a_connection_that_was_authorized_meanwhile() {
    let Some(stores) = Stores::servers().await else { return };
    let (server, mut member, body) = connected(stores).await;
    let id = body["credential_id"].as_str().unwrap();
    let read = "SELECT encrypted_credentials FROM tool_builtin_providers";
    let old = text(&server, read).await.unwrap();
    let request = member.start(&format!("?credential_id={id}")).await;
    member.follow(&member.consent(&request)).await;
    let new = text(&server, read).await.unwrap();
    let expired = server.clock.now().timestamp();
    let replace = |sealed: &str, expires_at: i64| {
        format!("UPDATE tool_builtin_providers SET encrypted_credentials = '{sealed}', expires_at = {expires_at}")
    };
    execute(&server, &replace(&old, expired)).await;
    server.provider.revoke_all();
    server.provider.hold_refreshes();
    let authorize = async {
        server.provider.wait_for_request().await;
        // What a completed authorization writes, not yet committed.
        let database = connect(&server).await;
        let other = database.begin().await.unwrap();
        other.execute_unprepared(&replace(&new, expired + 3_600)).await.unwrap();
        other.execute_unprepared("UPDATE openapi_connections SET status = 'active'").await.unwrap();
        server.provider.release();
        let waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while count(&server, waiting).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        other.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(server.service("credentials", &body), authorize);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(member.credentials().await[0]["status"], "active");
    assert_eq!(server.service("credentials", &body).await.status, 200);
}
