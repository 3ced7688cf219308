//! The command line. A failed command prints one sentence with the fix for each problem on standard error.
//! `exit_code` has the exit codes.

mod access_mode;
mod account;
mod age;
mod app;
mod arguments;
mod audited_command;
mod check_config;
mod confirmation;
mod connection;
mod created_token;
mod demo;
mod dev;
mod display_name;
mod email_address;
mod error;
mod exit_code;
mod input_file;
mod listing;
mod man_sections;
mod membership;
mod migrate;
mod openapi;
mod operator;
mod operator_events;
mod output;
mod password;
mod printable;
mod result_format;
mod serve;
mod shell;
mod signals;
mod since;
#[cfg(test)]
mod tests;
mod token;
mod usage;
mod workspace;

use std::{ffi::OsString, process::ExitCode, time::Duration};

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use self::{
    arguments::{Cli, Command},
    audited_command::audited_command,
    error::CommandError,
};
use crate::{
    http::routes::{internal_openapi, openapi},
    rpc::proto::DESCRIPTORS,
    telemetry::{Telemetry, audit::operator::record_command},
};

/// Time in which threads of the runtime may end after a command.
const RUNTIME_END_TIMEOUT: Duration = Duration::from_millis(200);

/// Parses the command line, runs the command, reports a failure, and returns the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    let (cli, matches) = match parse(&args) {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    let audited = audited_command(&matches);
    match run(cli.command, audited.as_deref()) {
        Ok(()) => {
            Telemetry::flush_process();
            ExitCode::SUCCESS
        }
        Err(error) => error.report(),
    }
}

/// Runs a command. `audited` names it in the audit trail.
fn run(command: Command, audited: Option<&str>) -> Result<(), CommandError> {
    let out = &mut std::io::stdout();
    match command {
        Command::CheckConfig => check_config::run(out),
        Command::Openapi { enterprise, internal: false } => openapi::run(openapi(enterprise).as_bytes(), out),
        Command::Openapi { enterprise, internal: true } => openapi::run(internal_openapi(enterprise).as_bytes(), out),
        Command::Descriptors => openapi::run(DESCRIPTORS, out),
        Command::Completions { shell } => shell::completions(shell, out),
        Command::Man => shell::man(out),
        command => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|cause| {
                CommandError::other(format!(
                    "the program cannot start its threads ({cause}); free some memory or allow more processes"
                ))
            })?;
            let outcome = runtime.block_on(run_async(command, audited));
            // A thread that waits for the system, such as for the address of a name, does not delay the end.
            runtime.shutdown_timeout(RUNTIME_END_TIMEOUT);
            outcome
        }
    }
}

async fn run_async(command: Command, audited: Option<&str>) -> Result<(), CommandError> {
    let outcome = match command {
        Command::Dev(args) => dev::run(&args).await,
        Command::Serve => serve::run().await,
        Command::Migrate { command } => migrate::run(command, &mut std::io::stdout()).await,
        Command::Account { command } => account::run(command, &mut std::io::stdout()).await,
        Command::Workspace { command } => workspace::run(command, &mut std::io::stdout()).await,
        Command::App { command } => Box::pin(app::run(command, &mut std::io::stdout())).await,
        Command::Connection { command } => connection::run(command, &mut std::io::stdout()).await,
        Command::Token { command } => token::run(command, &mut std::io::stdout()).await,
        Command::CheckConfig
        | Command::Openapi { .. }
        | Command::Descriptors
        | Command::Completions { .. }
        | Command::Man => Ok(()),
    };
    if let (Ok(()), Some(command)) = (&outcome, audited) {
        record_command(command);
    }
    // Also the events of a command that failed halfway.
    operator_events::store().await;
    outcome
}

/// Parses the command line. `Err` holds the exit code after help, the version or a usage error has been printed.
fn parse(args: &[OsString]) -> Result<(Cli, ArgMatches), ExitCode> {
    let matches = Cli::command().try_get_matches_from(args);
    let parsed = matches.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    parsed.map_err(|error| {
        if let Some(sentence) = usage::sentence(&error, args) {
            CommandError::usage(sentence).report()
        } else {
            // Help or version. A closed pipe is not an error.
            let _ = error.print();
            ExitCode::SUCCESS
        }
    })
}
