//! Parses the command line, runs the command, exits.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Returns free pages to the system while the process is idle.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    dify_openapi::run_command(std::env::args_os())
}
