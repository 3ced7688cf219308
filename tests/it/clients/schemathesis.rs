//! schemathesis, with every check on: what the OpenAPI document says is what the server does, for whatever is sent.

use std::{path::Path, process::Command};

use crate::support::{Bearer, Stores, TestServer, server::OWNER};

/// The document describes the methods of internal services too: they are on the port that `dev` has, and here on none.
const NO_LIMITS: &str = "token=0,account=0,device_code=0,device_token=0,lookup=0,user_code=0,unknown_bearer=0,approve=0,revoke=0,refresh=0,login=0";
/// Examples a method, unless `TEST_EXAMPLES` asks for more.
const EXAMPLES: &str = "40";
/// What ends the session that it is called with.
const ENDS_SESSIONS: &str = "/account/sessions/";

/// Runs it; what it found is the panic's message.
fn examine(server: &TestServer, bearer: Option<&str>, filter: &[&str]) {
    let Some(python) = std::env::var_os("TEST_PYTHON") else {
        eprintln!("no TEST_PYTHON: run by tests/run");
        return;
    };
    let examples = std::env::var("TEST_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let mut command = Command::new(Path::new(&python).with_file_name("schemathesis"));
    command
        .arg("--config-file")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/schemathesis.toml"))
        .args([
            "run",
            &server.at("/openapi/v1/openapi.json"),
            "--url",
            &server.url,
            "--checks",
            "all",
            "--max-examples",
            &examples,
        ])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--workers",
            "1",
            "--seed",
            "1",
            "--continue-on-failure",
            "--no-color",
        ])
        .args(["--suppress-health-check", "all", "--exclude-tag", "Token"])
        .args(filter)
        // It keeps what it found for later, which here is nothing.
        .current_dir(std::env::temp_dir());
    if let Some(bearer) = bearer {
        command.arg("--header").arg(format!("Authorization: Bearer {bearer}"));
    }
    let done = tokio::task::block_in_place(|| command.output()).unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("generated"), "it tried nothing: {said}");
}

async fn server() -> TestServer {
    TestServer::start_with(Stores::Sqlite, &[("OPENAPI_RATE_LIMITS", NO_LIMITS)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bearer_nothing_answers_what_is_not_described() {
    examine(&server().await, None, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_bearer_nothing_answers_what_is_not_described() {
    let server = server().await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    examine(&server, Some(&bearer.token), &["--exclude-path-regex", ENDS_SESSIONS]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_sessions_answers_what_is_described() {
    let server = server().await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    examine(&server, Some(&bearer.token), &["--include-path-regex", ENDS_SESSIONS]);
}
