//! The example of `proto/examples/python`, as its heading says to run it.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{Browser, Stores, TestServer, apps, process::Process, server::OWNER};

/// Generates the modules of the protos.
fn generate(python: &Path, out: &Path) {
    let mut files = Vec::new();
    for folder in ["dify/openapi/v1", "google/api"] {
        let directory = std::fs::read_dir(Path::new("proto").join(folder)).unwrap();
        files.extend(directory.map(|file| file.unwrap().path()));
    }
    let output = Command::new(python)
        .args(["-m", "grpc_tools.protoc", "-I", "proto"])
        .arg(format!("--python_out={}", out.display()))
        .arg(format!("--grpc_python_out={}", out.display()))
        .args(files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn python_example_signs_in_and_streams_a_run() {
    let Some(python) = std::env::var_os("TEST_PYTHON") else {
        eprintln!("no TEST_PYTHON: tests/run sets it");
        return;
    };
    let server = TestServer::start(Stores::Sqlite).await;
    apps::import_demo(&server).await;
    let modules = tempfile::tempdir().unwrap();
    generate(Path::new(&python), modules.path());
    let mut process = Command::new(&python)
        .arg("proto/examples/python/run_app.py")
        .args([server.url.strip_prefix("http://").unwrap(), "Parrot", "it streams"])
        .env("PYTHONPATH", modules.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut process = Process(process);
    let mut line = String::new();
    tokio::task::block_in_place(|| output.read_line(&mut line)).unwrap();
    let (page, code) = line.trim().split_once(' ').unwrap();
    assert!(page.ends_with("/device"), "{page}");
    assert_eq!(Browser::signed_in(&server, OWNER).await.approve(code).await.0, 200);
    let mut events = String::new();
    tokio::task::block_in_place(|| output.read_to_string(&mut events)).unwrap();
    assert!(process.0.wait().unwrap().success());
    for text in ["'answer': ' streams'", "message_end"] {
        assert!(events.contains(text), "{text}: {events}");
    }
}
