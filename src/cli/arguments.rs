//! What can be typed: the commands, their options and their help.

use clap::{Parser, Subcommand};

use super::{
    account::AccountCommand, app::AppCommand, connection::ConnectionCommand, dev::DevArgs, migrate::MigrateCommand,
    token::TokenCommand, workspace::WorkspaceCommand,
};

/// The service behind Dify's /openapi/v1: sign-in, sessions and apps, over JSON and gRPC.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

pub(super) const PROGRAM: &str = "dify-openapi";

const EXAMPLES: &str = "Examples:
  dify-openapi dev                     try it out: SQLite, a demo account, loopback only
  dify-openapi check-config            show the configuration, or what is wrong with it
  dify-openapi migrate up && dify-openapi serve

`dev` needs no configuration; the other commands read the environment variables in docs/configuration.md.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine, with nothing to set up.
    Dev(DevArgs),
    /// Run in production, configured by the environment.
    #[command(
        after_help = "Example:\n  SECRET_KEY=… CONSOLE_WEB_URL=https://dify.example.com \\\n    DATABASE_URL=postgres://… REDIS_URL=redis://… dify-openapi serve"
    )]
    Serve,
    /// Create or inspect the database tables.
    #[command(after_help = "Examples:\n  dify-openapi migrate status\n  dify-openapi migrate up && dify-openapi serve")]
    Migrate {
        #[command(subcommand)]
        command: MigrateCommand,
    },
    /// Print the effective configuration, secrets hidden, or everything wrong with it.
    #[command(after_help = "Example:\n  dify-openapi check-config && dify-openapi migrate up && dify-openapi serve")]
    CheckConfig,
    /// Manage accounts (standalone only).
    #[command(after_help = "Examples:
  dify-openapi account create ada@example.com --name Ada
  dify-openapi account list
  dify-openapi account disable ada@example.com --yes")]
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Manage workspaces (standalone only).
    #[command(after_help = "Examples:
  dify-openapi workspace create Research --owner ada@example.com
  dify-openapi workspace add-member Research grace@example.com --role editor")]
    Workspace {
        #[command(subcommand)]
        command: WorkspaceCommand,
    },
    /// Check DSL files; import, export and list apps (standalone only).
    #[command(after_help = "Examples:
  dify-openapi app check greeting.yml
  dify-openapi app import greeting.yml --workspace 'Demo Workspace'
  dify-openapi app list
  dify-openapi app export Greeting > greeting.yml")]
    App {
        #[command(subcommand)]
        command: AppCommand,
    },
    /// Manage connections to third-party services and their providers.
    #[command(after_help = "Examples:
  dify-openapi connection provider list
  dify-openapi connection list --workspace 'Demo Workspace'
  dify-openapi connection rotate-keys")]
    Connection {
        #[command(subcommand)]
        command: ConnectionCommand,
    },
    /// Issue tokens; list sessions and end them.
    #[command(after_help = "Examples:
  dify-openapi token create --account ada@example.com --label ci --ttl 30d
  dify-openapi token list --account ada@example.com
  dify-openapi token revoke --account ada@example.com
  dify-openapi token revoke --since 2h                end every session issued in the last two hours")]
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Print the OpenAPI 3.1 document of the public API.
    #[command(after_help = "Examples:
  dify-openapi openapi > openapi.json
  dify-openapi openapi --internal > openapi_internal.json")]
    Openapi {
        /// Include the methods of the Enterprise edition.
        #[arg(long)]
        enterprise: bool,
        /// Describe the routes of the console and of internal services instead.
        #[arg(long)]
        internal: bool,
    },
    /// Write the descriptors of the gRPC services to standard output: a `FileDescriptorSet` with comments and options.
    #[command(after_help = "Examples:
  dify-openapi descriptors > dify-openapi.binpb
  buf curl --schema dify-openapi.binpb --protocol grpc …")]
    Descriptors,
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
