//! The job that deletes ended sessions.

use tokio_util::sync::CancellationToken;

use crate::support::{Browser, Stores, TestServer, database, server::OWNER};

async fn browser_sessions(server: &TestServer) -> i64 {
    database::count(server, "openapi_browser_sessions").await
}

on_both_stores!(failed_or_stopped_retention_runs_again);

async fn failed_or_stopped_retention_runs_again(stores: Stores) {
    let server = TestServer::start(stores).await;
    Browser::signed_in(&server, OWNER).await;
    server.advance(365 * 86_400);
    let jobs = server.running().app.jobs();
    let quit = CancellationToken::new();
    database::execute(&server, "ALTER TABLE openapi_browser_sessions RENAME TO elsewhere").await;
    assert!(jobs.run_retention(&quit).await.is_err());
    database::execute(&server, "ALTER TABLE elsewhere RENAME TO openapi_browser_sessions").await;
    let stopped = CancellationToken::new();
    stopped.cancel();
    jobs.run_retention(&stopped).await.unwrap();
    assert_eq!(browser_sessions(&server).await, 1);
    jobs.run_retention(&quit).await.unwrap();
    assert_eq!(browser_sessions(&server).await, 0);

    // A completed job does not run again on the same day, and a job that stops before its start does not release the
    // lease.
    Browser::signed_in(&server, OWNER).await;
    database::execute(&server, "UPDATE openapi_browser_sessions SET expires_at = '2020-01-01 00:00:00'").await;
    jobs.run_retention(&stopped).await.unwrap();
    jobs.run_retention(&quit).await.unwrap();
    assert_eq!(browser_sessions(&server).await, 1);
}
