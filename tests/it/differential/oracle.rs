//! The processes of `tests/differential`: the upstream server, and graphon as the oracle.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{ChildStdout, Command, Stdio},
    thread::JoinHandle,
};

use serde_json::{Value, json};

use super::cases::{Case, folder};
use crate::support::process::Process;

/// The system variables of the oracle. Those of the service are replaced with them.
pub const SYSTEM: [(&str, &str); 5] = [
    ("user_id", "[user_id]"),
    ("app_id", "[app_id]"),
    ("workflow_id", "[workflow_id]"),
    ("workflow_run_id", "[workflow_run_id]"),
    ("conversation_id", "[conversation_id]"),
];
/// The time of every run of the oracle, in Unix seconds.
pub const TIMESTAMP: i64 = 1_700_000_000;

/// A script of `tests/differential`, run by the Python that has graphon.
pub fn script(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("TEST_GRAPHON").unwrap());
    command.arg(folder(name)).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// The model and the HTTP server that both engines call.
pub struct Upstream {
    pub url: String,
    _process: Process,
}

impl Upstream {
    /// Starts the server; `None` with a message when there is no Python with graphon.
    pub fn start() -> Option<Self> {
        if std::env::var_os("TEST_GRAPHON").is_none() {
            eprintln!("no TEST_GRAPHON: the differential test was not run; tests/run sets it");
            return None;
        }
        let mut process = script("upstream.py", &[]).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut port).unwrap();
        Some(Self { url: format!("http://127.0.0.1:{}", port.trim()), _process: Process(process) })
    }
}

/// Runs the cases on graphon, in another process.
pub struct Oracle {
    stdout: BufReader<ChildStdout>,
    _writer: JoinHandle<()>,
    _process: Process,
}

impl Oracle {
    pub fn start(upstream: &Upstream, cases: &[Case]) -> Self {
        let mut process = script("oracle.py", &[&upstream.url]).spawn().unwrap();
        let (mut stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut system = json!({"files": [], "timestamp": TIMESTAMP});
        system.as_object_mut().unwrap().extend(SYSTEM.map(|(name, value)| (name.to_owned(), json!(value))));
        let lines: Vec<String> = cases
            .iter()
            .map(|case| json!({"dsl": case.dsl, "turns": case.turns, "system": system}).to_string() + "\n")
            .collect();
        // The oracle answers while it is written to. It stops reading when the test fails.
        let writer = std::thread::spawn(move || _ = lines.iter().try_for_each(|line| stdin.write_all(line.as_bytes())));
        Self { stdout: BufReader::new(stdout), _writer: writer, _process: Process(process) }
    }

    /// What happened in the next case: `{"turns": [observation]}` or `{"error"}`.
    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        // The service runs in this process and must continue.
        tokio::task::block_in_place(|| self.stdout.read_line(&mut line)).unwrap();
        assert!(!line.is_empty(), "the oracle ended; its standard error is above");
        serde_json::from_str(&line).unwrap()
    }
}
