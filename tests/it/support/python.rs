//! A script under `tests/clients`, run by the Python that `tests/run` prepares: somebody else's client, as it comes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;

use super::process::Process;

/// A script that stdout one JSON object a line and goes on when it is told to.
pub struct Script {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _process: Process,
}

impl Script {
    /// Starts one. `None`, said aloud, where there is no Python with the clients.
    pub fn start(name: &str, arguments: &[&str]) -> Option<Self> {
        let Some(python) = std::env::var_os("TEST_PYTHON") else {
            eprintln!("no TEST_PYTHON: run by tests/run");
            return None;
        };
        let mut process = Command::new(python)
            .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name))
            .args(arguments)
            // The servers of tests speak plain HTTP on loopback, which stock clients refuse unless they are told.
            .env("OAUTHLIB_INSECURE_TRANSPORT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Some(Self { stdin, stdout, _process: Process(process) })
    }

    /// What it stdout next.
    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        // The server runs in this process and goes on meanwhile.
        tokio::task::block_in_place(|| self.stdout.read_line(&mut line)).unwrap();
        assert!(!line.is_empty(), "the script has ended; what it said of it is above");
        serde_json::from_str(&line).unwrap()
    }

    /// Tells it something, and gives what it stdout next.
    pub fn send(&mut self, value: &Value) -> Value {
        writeln!(self.stdin, "{value}").unwrap();
        self.next()
    }

    /// Lets it go on, and gives what it stdout next.
    pub fn resume(&mut self) -> Value {
        writeln!(self.stdin).unwrap();
        self.next()
    }
}
