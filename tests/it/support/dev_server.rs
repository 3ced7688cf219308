//! The real binary with `dev`.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::process::Process;

/// The command `dev` on a data directory, with an empty environment.
pub fn dev_command(data: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dify-openapi"));
    command.args(["dev", "--listen", listen, "--data"]).arg(data).env_clear().env("HOME", data);
    command
}

/// A running `dev`.
pub struct DevServer {
    pub process: Process,
    pub url: String,
    /// The output before it was ready.
    pub output: String,
}

impl DevServer {
    /// Starts the process and waits until it is ready.
    pub fn start(data: &Path) -> Self {
        super::server::install_crypto();
        let mut process =
            dev_command(data, "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = process.stdout.take().unwrap();
        let process = Process(process);
        let mut output = String::new();
        let mut stdout = BufReader::new(stdout);
        let url = loop {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "the process ended before it was ready: {output}");
            if let Some(url) = line.strip_prefix("ready ") {
                break url.trim().to_owned();
            }
            output.push_str(&line);
        };
        Self { process, url, output }
    }
}
