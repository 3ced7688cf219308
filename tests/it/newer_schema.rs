//! A server on the schema of the next release: it starts again during a rollout and after a rollback, unless that release
//! has ended its compatibility.

use crate::support::{
    Bearer, Stores, TestServer,
    command::{failed, succeeded},
    database::execute_at,
    server::OWNER,
    server_process::ServerProcess,
};

on_every_database!(server_restarts_on_a_newer_schema_until_it_ends_the_compatibility);

async fn server_restarts_on_a_newer_schema_until_it_ends_the_compatibility(stores: Stores) {
    let mut server = TestServer::start(stores).await;
    let database = server.variable("DATABASE_URL").to_owned();
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    // What the next release does: a change with a column that this version does not know, and its record.
    execute_at(&database, "ALTER TABLE openapi_sessions ADD COLUMN of_the_next_release VARCHAR(20)").await;
    execute_at(&database, "INSERT INTO openapi_migrations (version, applied_at) VALUES ('m20991231_000001_next', 0)")
        .await;
    execute_at(&database, "UPDATE openapi_schema_versions SET migrated_by = '9.0.0', oldest_compatible = '0.0.1'")
        .await;
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200, "a running replica goes on");
    let running = Bearer::sign_in(&server, OWNER, "phone").await;

    // A restart in mid-rollout.
    server.halt().await;
    let process = ServerProcess::start(&server).await;
    assert_eq!(running.get("/openapi/v1/account").await.0, 200);
    process.kill();
    let (status, _) = succeeded(server.command(&["migrate", "status"], ""));
    assert!(
        status.lines().last().unwrap().starts_with("newer") && status.contains("m20991231_000001_next"),
        "{status}"
    );
    // The Job of a rolled back release.
    let (applied, _) = succeeded(server.command(&["migrate", "up"], ""));
    assert!(applied.contains("0 changes applied"), "{applied}");
    let refused = failed(&server.command(&["migrate", "down", "--yes"], ""), 1);
    assert!(refused.contains("version 9.0.0"), "{refused}");
    server.resume().await;
    assert_eq!(bearer.delete("/openapi/v1/account/sessions/self").await.0, 200, "a rolled back replica writes");
    server.halt().await;

    execute_at(&database, "UPDATE openapi_schema_versions SET oldest_compatible = '8.1.0'").await;
    let refused = failed(&server.command(&["serve"], ""), 1);
    assert!(refused.contains("an image of version 8.1.0 or later"), "{refused}");
}
