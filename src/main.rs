//! Parses the command line, runs the command, exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    dify_openapi::cli::main(std::env::args_os())
}
