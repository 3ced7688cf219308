//! The command line: what can be typed, and how a failure is said. One sentence with the fix; exit code 2 when what was
//! typed or configured is at fault, 1 otherwise.

pub mod account;
pub mod app;
pub mod check_config;
mod demo;
pub mod dev;
pub mod migrate;
pub mod openapi;
mod operator;
pub mod serve;
pub mod shell;
pub mod since;
#[cfg(test)]
mod tests;
pub mod token;
pub mod workspace;

use std::{fmt, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

use crate::{
    config::{Config, Problems, process_env},
    domain::Error,
    http::routes::OPENAPI,
};

/// The service behind Dify's /openapi/v1: sign-in, sessions and apps, over JSON and gRPC.
#[derive(Debug, Parser)]
#[command(name = NAME, version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
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
pub enum Command {
    /// Run everything on this machine, with nothing to set up.
    Dev(dev::Args),
    /// Run in production, configured by the environment.
    #[command(
        after_help = "Example:\n  SECRET_KEY=… CONSOLE_WEB_URL=https://dify.example.com REDIS_URL=redis://… DATABASE_URL=postgres://… \\\n    dify-openapi serve"
    )]
    Serve,
    /// Create or inspect the database tables.
    Migrate {
        /// What to do.
        #[command(subcommand)]
        action: migrate::Action,
    },
    /// Print the effective configuration, secrets hidden, or everything wrong with it.
    #[command(after_help = "Example:\n  dify-openapi check-config && dify-openapi migrate up && dify-openapi serve")]
    CheckConfig,
    /// Manage accounts (standalone only).
    Account {
        /// What to do.
        #[command(subcommand)]
        action: account::Action,
    },
    /// Manage workspaces (standalone only).
    Workspace {
        /// What to do.
        #[command(subcommand)]
        action: workspace::Action,
    },
    /// Import, export and list apps (standalone only).
    App {
        /// What to do.
        #[command(subcommand)]
        action: app::Action,
    },
    /// List sessions and end them.
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
pub fn main(args: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
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

/// Why a command ended: one sentence a fault, and the exit code.
#[derive(Debug)]
pub struct Failure {
    sentences: Vec<String>,
    code: u8,
}

impl Failure {
    /// What was typed or configured is at fault.
    pub fn usage(sentence: impl fmt::Display) -> Self {
        Self { sentences: vec![sentence.to_string()], code: 2 }
    }

    /// Something else is.
    pub fn other(sentence: impl fmt::Display) -> Self {
        Self { sentences: vec![sentence.to_string()], code: 1 }
    }

    /// Says it on standard error and becomes the exit code.
    pub fn report(&self) -> ExitCode {
        for sentence in &self.sentences {
            eprintln!("error: {sentence}");
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences.join("\n"))
    }
}

impl std::error::Error for Failure {}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self { sentences: problems.0.into_iter().map(|problem| problem.sentence).collect(), code: 2 }
    }
}

impl From<Error> for Failure {
    /// The public sentence with its hint; where the fault is inside, its cause, which an operator can act on.
    fn from(error: Error) -> Self {
        use std::error::Error as _;
        let mut sentence = error.message().to_owned();
        if let Some(hint) = error.hint_text() {
            sentence = format!("{sentence} {hint}");
        }
        let mut cause = error.source();
        while let Some(inner) = cause {
            sentence = inner.to_string();
            cause = inner.source();
        }
        Self::other(sentence)
    }
}

/// Reads the command line. `Err` holds the exit code when there is nothing more to do: help was asked for, or what was
/// typed is wrong and has been said.
pub fn parse(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(args).map_err(|fault| {
        if let Some(sentence) = usage_sentence(&fault) {
            Failure::usage(sentence).report()
        } else {
            // Help and version; a closed pipe is not worth a word.
            let _ = fault.print();
            ExitCode::SUCCESS
        }
    })
}

/// One sentence of clap's paragraph; `None` when it is help or the version.
fn usage_sentence(fault: &clap::Error) -> Option<String> {
    match fault.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Some("no command was given; `dify-openapi --help` lists the commands".to_owned())
        }
        _ => {
            let text = fault.render().to_string();
            // The paragraphs after the first are a usage line and tips; lines of the first list what is missing.
            let first = text.split("\n\n").next().unwrap_or_default();
            let words = first.split_whitespace().collect::<Vec<_>>().join(" ");
            Some(format!("{}; see `dify-openapi --help`", words.trim_start_matches("error: ")))
        }
    }
}

/// The configuration of everything but `dev`, from the process environment.
pub fn config() -> Result<Config, Failure> {
    Ok(Config::for_serve(&crate::config::process_env)?)
}
