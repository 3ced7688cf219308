//! `ConnectionService`: current credentials, refreshed one at a time over all replicas.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

use super::*;
use crate::support::database::{connect, count};

on_both_stores!(
    credentials_are_refreshed_before_they_expire,
    rejected_refresh_requires_a_new_authorization,
    token_is_used_while_it_lives_when_the_provider_fails,
    reported_token_is_refreshed_once,
    connections_in_use_are_refreshed_in_the_background,
    credentials_of_some_minutes_are_not_refreshed_all_the_time
);

async fn connected(stores: Stores) -> (ConnectionServer, Person, Value) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let id = member.connect().await;
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
    (server, member, body)
}

fn access_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["values"]["access_token"].as_str().unwrap().to_owned()
}

async fn credentials_are_refreshed_before_they_expire(stores: Stores) {
    let (server, _, body) = connected(stores).await;
    let first = access_token(&server.service("credentials", &body).await);
    server.advance(3_600 - 90);
    assert_eq!(access_token(&server.service("credentials", &body).await), first, "some 90 s are left");
    server.advance(30);
    let answer = server.service("credentials", &body).await;
    let second = access_token(&answer);
    assert_ne!(second, first);
    assert!(answer.json()["expires_at"].as_i64().unwrap() > 3_600);
    assert_eq!(access_token(&server.service("credentials", &body).await), second);
    assert_eq!((server.provider.refreshes(), server.provider.rejected()), (1, 0));
    // The rotated refresh token was stored.
    server.advance(3_600);
    assert_ne!(access_token(&server.service("credentials", &body).await), second);
    assert_eq!((server.provider.refreshes(), server.provider.rejected()), (2, 0));
}

async fn rejected_refresh_requires_a_new_authorization(stores: Stores) {
    let (server, mut member, body) = connected(stores).await;
    let logs = crate::support::logs::Logs::capture();
    server.provider.revoke_all();
    server.advance(3_600);
    for _ in 0..2 {
        let answer = server.service("credentials", &body).await;
        assert_eq!(answer.outcome(), (409, "reauthorization_required".to_owned()));
        assert!(answer.json()["message"].as_str().unwrap().contains("invalid_grant"), "{}", answer.text);
    }
    assert_eq!(server.provider.refreshes(), 1, "a dead token is not tried again");
    let events = logs.matching(&["INFO audit", "connection.reauthorization_required", "reason=\"invalid_grant\""]);
    assert_eq!(events.len(), 1, "{events:?}");
    // The browser session has ended, too.
    member.browser = Browser::signed_in(&server, MEMBER).await;
    let credentials = member.credentials().await;
    assert_eq!([&credentials[0]["status"], &credentials[0]["reason"]], ["reauthorization_required", "invalid_grant"]);
    let request = member.start(&format!("?credential_id={}", body["credential_id"].as_str().unwrap())).await;
    assert_eq!(member.follow(&member.consent(&request)).await, server.at("/oauth-callback"));
    access_token(&server.service("credentials", &body).await);
    assert_eq!(member.credentials().await[0]["status"], "active");
}

async fn token_is_used_while_it_lives_when_the_provider_fails(stores: Stores) {
    let (server, _, body) = connected(stores).await;
    let first = access_token(&server.service("credentials", &body).await);
    server.provider.set_fault(Fault::Down);
    server.advance(3_600 - 30);
    assert_eq!(access_token(&server.service("credentials", &body).await), first);
    assert_eq!(access_token(&server.service("credentials", &body).await), first);
    server.advance(30);
    assert_eq!(server.service("credentials", &body).await.outcome(), (502, "upstream_error".to_owned()));
    server.provider.set_fault(Fault::None);
    server.advance(900);
    assert_ne!(access_token(&server.service("credentials", &body).await), first);
    assert_eq!(server.provider.rejected(), 0);
}

async fn reported_token_is_refreshed_once(stores: Stores) {
    let (server, _, body) = connected(stores).await;
    let first = access_token(&server.service("credentials", &body).await);
    server.advance(60);
    let second = access_token(&server.service("report-invalid", &body).await);
    assert_ne!(second, first);
    // A second report of the same moment is about the token before.
    assert_eq!(access_token(&server.service("report-invalid", &body).await), second);
    assert_eq!(server.provider.refreshes(), 1);
}

async fn connections_in_use_are_refreshed_in_the_background(stores: Stores) {
    let (server, mut member, body) = connected(stores).await;
    let unused = member.connect().await;
    let first = access_token(&server.service("credentials", &body).await);
    server.advance(3_600 - 930);
    server.running().app.jobs().refresh_connections().await.unwrap();
    assert_eq!(server.provider.refreshes(), 0, "it expires in some 930 s");
    server.advance(40);
    server.running().app.jobs().refresh_connections().await.unwrap();
    assert_eq!(server.provider.refreshes(), 1, "the one that is used");
    assert_ne!(access_token(&server.service("credentials", &body).await), first);
    let unused = json!({"tenant_id": body["tenant_id"], "provider": PROVIDER, "credential_id": unused});
    access_token(&server.service("credentials", &unused).await);
}

async fn credentials_of_some_minutes_are_not_refreshed_all_the_time(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    server.provider.set_fault(Fault::ExpiresIn(json!(300)));
    let id = server.browser(MEMBER).await.connect().await;
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
    access_token(&server.service("credentials", &body).await);
    for (seconds, refreshes) in [(0, 0), (120, 0), (60, 1), (60, 1), (120, 2)] {
        server.advance(seconds);
        server.running().app.jobs().refresh_connections().await.unwrap();
        assert_eq!(server.provider.refreshes(), refreshes);
    }
}

/// Sixteen refreshes run at the same time, and three failures stop further ones.
#[tokio::test]
async fn failing_provider_does_not_hold_up_the_refreshes_of_others() {
    let (server, _, mut body) = connected(Stores::Sqlite).await;
    // An administrator may have more connections than other members.
    let mut owner = server.browser(OWNER).await;
    for _ in 0..40 {
        body["credential_id"] = json!(owner.connect().await);
        access_token(&server.service("credentials", &body).await);
    }
    server.advance(3_600 - 600);
    server.provider.set_fault(Fault::Down);
    let before = server.provider.requests();
    server.running().app.jobs().refresh_connections().await.unwrap();
    let requests = server.provider.requests() - before;
    assert!((3..=18).contains(&requests), "{requests} of 40");
    // The others follow once it works.
    server.provider.set_fault(Fault::None);
    server.advance(10);
    server.running().app.jobs().refresh_connections().await.unwrap();
    assert_eq!(server.provider.refreshes(), 40);
}

/// Contract K4: at the moment of expiry, fifty callers of two replicas cause one refresh and all get its result.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_callers_of_two_replicas_cause_one_refresh() {
    let Some(stores) = Stores::servers().await else { return };
    let (server, _, body) = connected(stores).await;
    let replica = server.replica().await;
    server.provider.set_delay(Duration::from_millis(20));
    let client = reqwest::Client::new();
    let rounds = std::env::var("TEST_REFRESH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10);
    for round in 1..=rounds {
        server.advance(3_600);
        let calls = (0..50).map(|call| {
            let server = if call % 2 == 0 { &server.server } else { &replica };
            call_service_with(&client, server, "credentials", &body)
        });
        let answers = futures_util::future::join_all(calls).await;
        let tokens: std::collections::BTreeSet<_> = answers.iter().map(access_token).collect();
        assert_eq!(tokens.len(), 1, "round {round}");
        assert_eq!((server.provider.refreshes(), server.provider.rejected()), (round, 0), "round {round}");
    }
}

/// The future of a caller that is gone does not lose the provider's answer.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_of_a_caller_that_disconnects_is_stored() {
    let (server, _, body) = connected(Stores::Sqlite).await;
    server.advance(3_600);
    server.provider.set_delay(Duration::from_millis(300));
    let cancelled = tokio::time::timeout(Duration::from_millis(100), server.service("credentials", &body)).await;
    assert!(cancelled.is_err(), "the caller is gone before the provider answers");
    access_token(&server.service("credentials", &body).await);
    assert_eq!((server.provider.refreshes(), server.provider.rejected()), (1, 0));
}

/// Contract K4: what the provider has issued is stored, also when the connection to the database breaks meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn refreshed_values_are_stored_after_the_database_has_closed_its_connections() {
    let Some(stores) = Stores::servers().await else { return };
    let (server, _, body) = connected(stores).await;
    let first = access_token(&server.service("credentials", &body).await);
    server.advance(3_600);
    let id = body["credential_id"].as_str().unwrap();
    let database = connect(&server).await;
    let other = database.begin().await.unwrap();
    let lock = format!("SELECT id FROM tool_builtin_providers WHERE id = '{id}' FOR NO KEY UPDATE");
    other.execute_unprepared(&lock).await.unwrap();
    let interrupt = async {
        let waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
                       AND query LIKE 'UPDATE \"tool_builtin_providers\"%'";
        while count(&server, waiting).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                   AND pid <> pg_backend_pid() AND state <> 'idle in transaction'";
        other.execute_unprepared(end).await.unwrap();
        other.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(server.service("credentials", &body), interrupt);
    let second = access_token(&answer);
    assert_ne!(second, first);
    server.advance(3_600);
    assert_ne!(access_token(&server.service("credentials", &body).await), second);
    assert_eq!((server.provider.refreshes(), server.provider.rejected()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_that_its_lease_may_not_cover_does_not_begin() {
    let Some(stores) = Stores::servers().await else { return };
    let (server, _, body) = connected(stores).await;
    let first = access_token(&server.service("credentials", &body).await);
    server.advance(3_600 - 30);
    let database = connect(&server).await;
    let other = database.begin().await.unwrap();
    other.execute_unprepared("LOCK TABLE tool_oauth_tenant_clients IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let delay = async {
        let waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
                       AND query LIKE 'SELECT%\"tool_oauth_tenant_clients\"%'";
        while count(&server, waiting).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.advance(6);
        other.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(server.service("credentials", &body), delay);
    assert_eq!((access_token(&answer), server.provider.refreshes()), (first.clone(), 0), "the token lives");
    assert_ne!(access_token(&server.service("credentials", &body).await), first);
    assert_eq!(server.provider.refreshes(), 1);
}
