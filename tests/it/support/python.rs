//! A script of `tests/clients`, run by the Python of `tests/run`: a third-party client without changes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;

use super::process::Process;

/// A script that prints one JSON object per line and waits for input in between.
pub struct Script {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _process: Process,
}

impl Script {
    /// Starts a script; `None` with a message when there is no Python with the clients.
    pub fn start(name: &str, arguments: &[&str]) -> Option<Self> {
        let Some(python) = std::env::var_os("TEST_PYTHON") else {
            eprintln!("no TEST_PYTHON: tests/run sets it");
            return None;
        };
        let mut process = Command::new(python)
            .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name))
            .args(arguments)
            // The test servers use HTTP on loopback, which OAuth clients reject by default.
            .env("OAUTHLIB_INSECURE_TRANSPORT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Some(Self { stdin, stdout, _process: Process(process) })
    }

    /// Reads the next object.
    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        // The server runs in this process and must continue.
        tokio::task::block_in_place(|| self.stdout.read_line(&mut line)).unwrap();
        assert!(!line.is_empty(), "the script ended; its standard error is above");
        serde_json::from_str(&line).unwrap()
    }

    /// Sends a value and reads the next object.
    pub fn send(&mut self, value: &Value) -> Value {
        writeln!(self.stdin, "{value}").unwrap();
        self.next()
    }

    /// Sends an empty line and reads the next object.
    pub fn resume(&mut self) -> Value {
        writeln!(self.stdin).unwrap();
        self.next()
    }
}
