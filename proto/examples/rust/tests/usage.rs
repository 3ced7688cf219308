//! The example explains its arguments. `tests/it/clients/examples.rs` runs it against a server.

use std::process::Command;

#[test]
fn missing_arguments_are_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_run-app")).arg("http://127.0.0.1:1").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "usage: run-app URL APP QUERY\n");
}
