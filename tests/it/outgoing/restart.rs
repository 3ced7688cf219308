//! A restart of the database breaks every connection of the pool at once.

use crate::support::{Bearer, Stores, TestServer, postgres_process::PostgresProcess, server::OWNER};

#[tokio::test(flavor = "multi_thread")]
async fn reads_after_a_restart_of_postgres_do_not_fail() {
    let Some(postgres) = PostgresProcess::start().await else { return };
    let Ok(redis) = std::env::var("TEST_REDIS_URL") else { return };
    let stores = Stores::Servers {
        database: format!("postgres://postgres@127.0.0.1:{}/postgres", postgres.port),
        redis,
        prefix: format!("restart_{}", postgres.port),
    };
    let server = TestServer::start_without_limits(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let read_at_once = async |count: usize| {
        let reads = (0..count).map(|_| bearer.get("/openapi/v1/account"));
        futures_util::future::join_all(reads).await.into_iter().map(|(status, _)| status).collect::<Vec<_>>()
    };
    // Opens all connections of the pool.
    assert_eq!(read_at_once(40).await, [200; 40]);
    for _ in 0..2 {
        postgres.kill();
        postgres.restart().await;
        assert_eq!(read_at_once(1).await, [200]);
        assert_eq!(read_at_once(40).await, [200; 40]);
        postgres.kill();
        postgres.restart().await;
        assert_eq!(read_at_once(40).await, [200; 40]);
    }
}
