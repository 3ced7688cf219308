//! The examples of `proto/examples`, generated and built as their headings say.

use std::{path::PathBuf, process::Command};

use tempfile::{TempDir, tempdir};

use crate::support::{
    client_tools::{ClientTools, copy_files, node_program, repository, run},
    tour::{Tour, server_with_apps},
};

const NO_SUCH_APP: &str = "NOT_FOUND: There is no such app. AppService.ListApps lists the apps of a workspace.";

/// Checks the whole tour of an example.
async fn assert_tour(tour: &Tour) {
    let server = server_with_apps().await;
    tour.assert_runs_with_token(&server, NO_SUCH_APP).await;
    tour.assert_signs_in(&server).await;
    tour.assert_reports_denial(&server).await;
}

/// Generates code from the protos with a template for `buf`.
fn buf_generate(tools: &ClientTools, directory: &TempDir, folder: &str, package: &str) {
    let mut command = tools.program("buf");
    command.arg("generate").arg(repository().join("proto")).args(["--template", "buf.gen.yaml"]);
    if !package.is_empty() {
        command.arg("--path").arg(repository().join("proto").join(package));
    }
    run(command.current_dir(directory.path().join(folder)));
}

#[tokio::test(flavor = "multi_thread")]
async fn python_example_signs_in_and_streams_a_run() {
    let Some(python) = std::env::var_os("TEST_PYTHON") else {
        eprintln!("no TEST_PYTHON: tests/run sets it");
        return;
    };
    let directory = tempdir().unwrap();
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["proto/dify/openapi/v1", "proto/google/api"] {
        files.extend(std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()));
    }
    let mut command = Command::new(&python);
    command.args(["-m", "grpc_tools.protoc", "-I", "proto"]);
    for language in ["python", "grpc_python"] {
        command.arg(format!("--{language}_out={}", directory.path().display()));
    }
    run(command.args(files));
    let script = repository().join("proto/examples/python/run_app.py");
    assert_tour(&Tour::new(&python, &[script], directory)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_example_signs_in_and_streams_a_run() {
    let Some(tools) = ClientTools::find() else { return };
    let directory = tempdir().unwrap();
    tools.node_package("proto/examples/typescript", directory.path());
    buf_generate(&tools, &directory, "", "");
    node_program(directory.path(), "tsc", &[]);
    let script = directory.path().join("dist/run_app.js");
    assert_tour(&Tour::new("node", &[script], directory)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn go_example_signs_in_and_streams_a_run() {
    let Some(tools) = ClientTools::find() else { return };
    let directory = tempdir().unwrap();
    let package = "src/example.com/run-app";
    copy_files("proto/examples/go", &directory.path().join(package));
    buf_generate(&tools, &directory, package, "dify");
    let program = tools.go_build(directory.path(), "example.com/run-app");
    assert_tour(&Tour::new(program, &[], directory)).await;
}

/// The package `run-app` of the workspace. Its own test makes `cargo test --workspace` build it.
#[tokio::test(flavor = "multi_thread")]
async fn rust_example_signs_in_and_streams_a_run() {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().with_file_name("run-app");
    if !program.exists() {
        assert!(ClientTools::find().is_none(), "{} is not built", program.display());
        eprintln!("`cargo test --workspace` builds {}", program.display());
        return;
    }
    assert_tour(&Tour::new(program, &[], tempdir().unwrap())).await;
}
