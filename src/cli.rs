//! The command line: what can be typed, and how a failure is said. One sentence with the fix; exit code 2 when what was
//! typed or configured is at fault, 1 otherwise.

pub(crate) mod account;
pub(crate) mod app;
pub(crate) mod check_config;
mod demo;
pub(crate) mod dev;
pub(crate) mod failure;
pub(crate) mod migrate;
pub(crate) mod openapi;
mod operator;
mod output;
pub(crate) mod password;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod since;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod usage;
pub(crate) mod workspace;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

pub(crate) use self::failure::Failure;
use crate::{config::process_env, http::routes::OPENAPI};

/// The service behind Dify's /openapi/v1: sign-in, sessions and apps, over JSON and gRPC.
#[derive(Debug, Parser)]
#[command(name = NAME, version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program is called.
const NAME: &str = "dify-openapi";

const EXAMPLES: &str = "Examples:
  dify-openapi dev                     try it out: SQLite, a demo account, loopback only
  dify-openapi check-config            show the configuration, or what is wrong with it
  dify-openapi migrate up && dify-openapi serve

`dev` needs no configuration; the other commands read the environment variables that the README lists.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine, with nothing to set up.
    Dev(dev::Args),
    /// Run in production, configured by the environment.
    #[command(
        after_help = "Example:\n  SECRET_KEY=… CONSOLE_WEB_URL=https://dify.example.com \\\n    DATABASE_URL=postgres://… REDIS_URL=redis://… dify-openapi serve"
    )]
    Serve,
    /// Create or inspect the database tables.
    #[command(after_help = "Examples:\n  dify-openapi migrate status\n  dify-openapi migrate up && dify-openapi serve")]
    Migrate {
        /// What to do.
        #[command(subcommand)]
        action: migrate::Action,
    },
    /// Print the effective configuration, secrets hidden, or everything wrong with it.
    #[command(after_help = "Example:\n  dify-openapi check-config && dify-openapi migrate up && dify-openapi serve")]
    CheckConfig,
    /// Manage accounts (standalone only).
    #[command(after_help = "Examples:
  dify-openapi account create ada@example.com --name Ada
  dify-openapi account list
  dify-openapi account disable ada@example.com")]
    Account {
        /// What to do.
        #[command(subcommand)]
        action: account::Action,
    },
    /// Manage workspaces (standalone only).
    #[command(after_help = "Examples:
  dify-openapi workspace create Research --owner ada@example.com
  dify-openapi workspace add-member Research grace@example.com --role editor")]
    Workspace {
        /// What to do.
        #[command(subcommand)]
        action: workspace::Action,
    },
    /// Import, export and list apps (standalone only).
    #[command(after_help = "Examples:
  dify-openapi app import greeting.yml --workspace 'Demo Workspace'
  dify-openapi app list
  dify-openapi app export Greeting > greeting.yml")]
    App {
        /// What to do.
        #[command(subcommand)]
        action: app::Action,
    },
    /// List sessions and end them.
    #[command(after_help = "Examples:
  dify-openapi token list --account ada@example.com
  dify-openapi token revoke --account ada@example.com
  dify-openapi token revoke --since 2h                end every session issued in the last two hours")]
    Token {
        /// What to do.
        #[command(subcommand)]
        action: token::Action,
    },
    /// Print the OpenAPI 3.1 document.
    #[command(after_help = "Example:\n  dify-openapi openapi > openapi.json")]
    Openapi,
    /// Print the completion script of a shell.
    #[command(
        after_help = "Examples:\n  dify-openapi completions bash > /etc/bash_completion.d/dify-openapi\n  dify-openapi completions fish > ~/.config/fish/completions/dify-openapi.fish"
    )]
    Completions {
        /// The shell that will read it.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(
        after_help = "Examples:\n  dify-openapi man > /usr/local/share/man/man1/dify-openapi.1\n  dify-openapi man | man -l -"
    )]
    Man,
}

/// Reads the command line, runs the command, and says how it ended.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let out = &mut std::io::stdout();
    match command {
        Command::CheckConfig => check_config::run(&process_env, out),
        Command::Openapi => openapi::run(OPENAPI.as_bytes(), out),
        Command::Completions { shell } => shell::completions(shell, out),
        Command::Man => shell::man(out),
        command => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|cause| {
                Failure::other(format!(
                    "the program cannot start its threads ({cause}); free some memory or allow more processes"
                ))
            })?
            .block_on(async {
                match command {
                    Command::Dev(args) => dev::run(&args).await,
                    Command::Serve => serve::run().await,
                    Command::Migrate { action } => migrate::run(action, &mut std::io::stdout()).await,
                    Command::Account { action } => account::run(action, &mut std::io::stdout()).await,
                    Command::Workspace { action } => workspace::run(action, &mut std::io::stdout()).await,
                    Command::App { action } => app::run(action, &mut std::io::stdout()).await,
                    Command::Token { action } => token::run(action, &mut std::io::stdout()).await,
                    Command::CheckConfig | Command::Openapi | Command::Completions { .. } | Command::Man => Ok(()),
                }
            }),
    }
}

/// Reads the command line. `Err` holds the exit code when there is nothing more to do: help was asked for, or what was
/// typed is wrong and has been said.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    let args: Vec<_> = args.into_iter().collect();
    Cli::try_parse_from(&args).map_err(|fault| {
        if let Some(sentence) = usage::sentence(&fault, &args) {
            Failure::usage(sentence).report()
        } else {
            // Help and version; a closed pipe is not worth a word.
            let _ = fault.print();
            ExitCode::SUCCESS
        }
    })
}
