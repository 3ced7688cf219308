//! Parses the command line, runs the command, exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    dify_openapi::run_command(std::env::args_os())
}
