//! The binary itself, as a new user runs it.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::process::Process;

/// `dev`, on a data directory, with none of this process's configuration.
pub fn dev_command(data: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dify-openapi"));
    command.args(["dev", "--listen", listen, "--data"]).arg(data).env_clear().env("HOME", data);
    command
}

/// `dev`, serving.
pub struct DevServer {
    /// The process.
    pub process: Process,
    /// Where it serves.
    pub url: String,
    /// What it said before it did.
    pub output: String,
}

impl DevServer {
    /// Starts it and reads what it says until it is ready.
    pub fn start(data: &Path) -> Self {
        super::server::install_crypto();
        let mut process =
            dev_command(data, "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = process.stdout.take().unwrap();
        let process = Process(process);
        let mut output = String::new();
        let mut said = BufReader::new(said);
        let url = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it was ready: {output}");
            if let Some(url) = line.strip_prefix("ready ") {
                break url.trim().to_owned();
            }
            output.push_str(&line);
        };
        Self { process, url, output }
    }
}
