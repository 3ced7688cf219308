//! The program as an operator runs it: a command, what it prints, how it ends.

use std::{
    ffi::OsStr,
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// Runs a command in an environment of its own; `input` is its standard input.
pub fn run_command<K: AsRef<OsStr>, V: AsRef<OsStr>>(
    environment: impl IntoIterator<Item = (K, V)>,
    arguments: &[&str],
    input: &str,
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dify-openapi"))
        .args(arguments)
        .env_clear()
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses early does not read.
    let _ = command.stdin.take().unwrap().write_all(input.as_bytes());
    command.wait_with_output().unwrap()
}

/// What a command printed that succeeded, and what it said beside that.
pub fn succeeded(output: Output) -> (String, String) {
    assert!(output.status.success(), "{output:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// What a command said that was typed wrongly: one sentence.
pub fn usage_error(output: &Output) -> String {
    assert!(output.stdout.is_empty() && output.status.code() == Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    assert!(said.starts_with("error: ") && said.lines().count() == 1, "{said}");
    said
}
