//! The program as a command: its output and how it ends.

use std::{
    ffi::OsStr,
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// Runs a command with exactly this environment; `input` is its standard input.
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
    // A command that fails early does not read its input.
    let _ = command.stdin.take().unwrap().write_all(input.as_bytes());
    command.wait_with_output().unwrap()
}

/// The standard output and standard error of a command that must succeed.
pub fn succeeded(output: Output) -> (String, String) {
    assert!(output.status.success(), "{output:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// The error line of a command that must fail with this exit code.
pub fn failed(output: &Output, code: i32) -> String {
    assert!(output.stdout.is_empty() && output.status.code() == Some(code), "{output:?}");
    let line = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    assert!(line.starts_with("error: ") && line.lines().count() == 1, "{line}");
    line
}
