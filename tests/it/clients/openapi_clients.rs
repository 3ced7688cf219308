//! Clients that generators make from the OpenAPI document compile and run an app, and a linter finds nothing.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    Answer, Browser, TestServer,
    client_tools::{ClientTools, copy_files, node_program, repository, run},
    command::succeeded,
    tour::{Tour, server_with_apps},
};

const NO_SUCH_APP: &str =
    "not_found: There is no such app. GET /openapi/v1/apps?workspace_id=… lists the apps of a workspace.";
/// The Node.js package with the generator of types, the compiler and the linter.
const NODE_PACKAGE: &str = "tests/clients/openapi_typescript";

/// Writes the document that the server serves.
async fn save_document(server: &TestServer, directory: &Path) {
    let request = Browser::anonymous(server).bare(reqwest::Method::GET, "/openapi/v1/openapi.json");
    std::fs::write(directory.join("openapi.json"), Answer::to(request).await.text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn python_client_compiles_and_runs_an_app() {
    let Some(tools) = ClientTools::find() else { return };
    let server = server_with_apps().await;
    let directory = tempdir().unwrap();
    save_document(&server, directory.path()).await;
    let mut generator = tools.program("openapi-python-client");
    generator.args(["generate", "--path", "openapi.json", "--output-path", "dify_client", "--meta", "none"]);
    let report = run(generator.current_dir(directory.path()));
    assert!(!report.to_lowercase().contains("warning"), "{report}");
    let mut compiler = tools.program("python");
    run(compiler.args(["-m", "compileall", "-q", "dify_client"]).current_dir(directory.path()));
    let python = tools.program("python").get_program().to_owned();
    let script = repository().join("tests/clients/openapi_python.py");
    Tour::new(python, &[script], directory).assert_runs_with_token(&server, NO_SUCH_APP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_client_compiles_and_runs_an_app() {
    let Some(tools) = ClientTools::find() else { return };
    let server = server_with_apps().await;
    let directory = tempdir().unwrap();
    tools.node_package(NODE_PACKAGE, directory.path());
    save_document(&server, directory.path()).await;
    node_program(directory.path(), "openapi-typescript", &["openapi.json", "-o", "schema.d.ts"]);
    node_program(directory.path(), "tsc", &[]);
    let script = directory.path().join("dist/run_app.js");
    Tour::new("node", &[script], directory).assert_runs_with_token(&server, NO_SUCH_APP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn go_client_compiles_and_runs_an_app() {
    let Some(tools) = ClientTools::find() else { return };
    let server = server_with_apps().await;
    let directory = tempdir().unwrap();
    save_document(&server, directory.path()).await;
    let mut generator = tools.program("openapi-generator-cli");
    generator.args(["generate", "-i", "openapi.json", "-g", "go", "-o", "src/difyapi"]);
    // Newer servers add members to responses.
    let options = "packageName=difyapi,withGoMod=false,disallowAdditionalPropertiesIfNotPresent=false";
    generator.args(["--additional-properties", options, "--global-property", "apiTests=false,modelTests=false"]);
    run(generator.current_dir(directory.path()));
    copy_files("tests/clients/openapi_go", &directory.path().join("src/openapi_go"));
    let program = tools.go_build(directory.path(), "openapi_go");
    Tour::new(program, &[], directory).assert_runs_with_token(&server, NO_SUCH_APP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redocly_finds_nothing_in_the_documents() {
    let Some(tools) = ClientTools::find() else { return };
    let directory = tempdir().unwrap();
    tools.node_package(NODE_PACKAGE, directory.path());
    let documents = ["openapi", "openapi_enterprise", "openapi_internal", "openapi_internal_enterprise"];
    let mut linter = Command::new(directory.path().join("node_modules/.bin/redocly"));
    linter.args(["lint", "--format", "json"]).current_dir(directory.path());
    linter.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    for name in documents {
        linter.arg(repository().join("docs").join(name).with_extension("json"));
    }
    // Its standard error has the progress.
    let (report, _) = succeeded(tokio::task::block_in_place(|| linter.output()).unwrap());
    let found: Vec<Value> = serde_json::Deserializer::from_str(&report).into_iter().map(Result::unwrap).collect();
    assert_eq!(found.len(), documents.len());
    for document in found {
        assert_eq!(document["problems"], json!([]));
    }
}
