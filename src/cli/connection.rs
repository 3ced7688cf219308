//! `connection`: providers, OAuth clients of the instance, and connections of every workspace.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;

use super::{
    confirmation::ConfirmOptions,
    error::CommandError,
    input_file::InputFile,
    listing::{ListOptions, Listing},
    operator::Operator,
    output::print_line,
};
use crate::{
    connections::{manifest_file::read_manifest, presets::presets},
    domain::{
        connection::{provider_key::ProviderKey, values::CredentialValues},
        id::ConnectionId,
        stored::StoredValue,
    },
};

const COLUMNS: &[&str] = &["id", "workspace", "provider", "name", "type", "visibility", "status", "reason"];
const PROVIDER_COLUMNS: &[&str] = &["key", "origin", "types"];

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// Import, list and remove providers.
    #[command(after_help = "Example:\n  dify-openapi connection provider list")]
    Provider {
        #[command(subcommand)]
        command: ProviderCommand,
    },
    /// Store the instance's OAuth client of a provider, read as a JSON object from a file or standard input.
    #[command(after_help = "Example:
  echo '{\"client_id\": \"…\", \"client_secret\": \"…\"}' | dify-openapi connection set-client gmail -")]
    SetClient {
        /// The provider, such as `langgenius/gmail/gmail` or `gmail`.
        provider: ProviderKey,
        /// The file; `-` for standard input.
        file: InputFile,
    },
    /// List the connections of a workspace, or of every one, without their secrets.
    #[command(after_help = "Example:\n  dify-openapi connection list --workspace 'Demo Workspace'")]
    List {
        /// The workspace, by id, or by name if it is unique.
        #[arg(long)]
        workspace: Option<String>,
        #[command(flatten)]
        options: ListOptions,
    },
    /// Delete a connection, and revoke it at its provider where that is possible.
    #[command(after_help = "Example:\n  dify-openapi connection revoke 0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55 --yes")]
    Revoke {
        /// The connection's id.
        id: ConnectionId,
        #[command(flatten)]
        confirm: ConfirmOptions,
    },
    /// Encrypt all credentials and OAuth clients again with the current `SECRET_KEY`.
    #[command(after_help = "Example:\n  dify-openapi connection rotate-keys")]
    RotateKeys,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum ProviderCommand {
    /// Import a provider's manifest as Dify's plugins ship it (provider/*.yaml), in place of an earlier one.
    #[command(
        after_help = "Example:\n  dify-openapi connection provider import provider/search.yaml --key acme/search/search"
    )]
    Import {
        /// The file; `-` for standard input.
        file: InputFile,
        /// `organization/plugin/provider`.
        #[arg(long)]
        key: ProviderKey,
    },
    /// List the providers: those of the binary, and imported ones.
    #[command(after_help = "Example:\n  dify-openapi connection provider list")]
    List {
        #[command(flatten)]
        options: ListOptions,
    },
    /// Remove an imported provider. One of the binary has its own manifest again.
    #[command(after_help = "Example:\n  dify-openapi connection provider remove acme/search/search")]
    Remove {
        /// `organization/plugin/provider`.
        key: ProviderKey,
    },
}

pub(crate) async fn run(command: ConnectionCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    let operator = Operator::connect().await?;
    match command {
        ConnectionCommand::Provider { command } => provider(&operator, command, out).await,
        ConnectionCommand::SetClient { provider, file } => {
            let params = CredentialValues::from_json(file.read()?.as_bytes()).ok_or_else(|| {
                CommandError::usage("the client is not a JSON object; write one like {\"client_id\": \"…\"}")
            })?;
            operator.connections()?.put_system_client(&provider, &params).await?;
            print_line(out, format_args!("stored the OAuth client of {provider}"))
        }
        ConnectionCommand::List { workspace, options } => list(&operator, workspace.as_deref(), options, out).await,
        ConnectionCommand::Revoke { id, confirm } => {
            let found = operator.sql.find_any_connection(id).await?;
            let connection = found.ok_or_else(|| {
                CommandError::not_found(format!(
                    "there is no connection {id}; `dify-openapi connection list` lists them"
                ))
            })?;
            let loss = format!("this ends the connection `{}` to {}", connection.name, connection.provider);
            if confirm.obtain(loss, out).await? {
                operator.connections()?.revoke(connection, None).await?;
                print_line(out, format_args!("revoked {id}"))?;
            }
            Ok(())
        }
        ConnectionCommand::RotateKeys => {
            let rotated = operator.connections()?.rotate_keys().await?;
            print_line(
                out,
                format_args!(
                    "encrypted {} of {} credentials and OAuth clients with the current key",
                    rotated.changed, rotated.total
                ),
            )?;
            if rotated.unreadable > 0 {
                return Err(CommandError::other(format!(
                    "{} cannot be decrypted with any key of SECRET_KEY and SECRET_KEYS_PREVIOUS",
                    rotated.unreadable
                )));
            }
            Ok(())
        }
    }
}

async fn provider(operator: &Operator, command: ProviderCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    match command {
        ProviderCommand::Import { file, key } => {
            let allow_http = operator.config.deployment.mode.is_development();
            let manifest = read_manifest(&file.read()?, allow_http)
                .map_err(|error| CommandError::usage(format!("{file}: {error}")))?;
            operator.sql.put_provider(&key, &manifest, Operator::now()).await?;
            print_line(out, format_args!("imported {key}"))
        }
        ProviderCommand::List { options } => {
            let mut providers = presets()?;
            let imported = operator.sql.list_imported_providers().await?;
            let keys: Vec<_> = imported.iter().map(|(key, _)| key.clone()).collect();
            providers.extend(imported);
            let mut listing = Listing::new("providers", PROVIDER_COLUMNS, "key");
            for (key, manifest) in providers {
                let origin = if keys.contains(&key) { "imported" } else { "preset" };
                let kinds = [(manifest.supports_oauth(), "oauth2"), (manifest.supports_api_keys(), "api-key")];
                let kinds: Vec<_> = kinds.iter().filter(|(has, _)| *has).map(|(_, kind)| *kind).collect();
                listing.push([json!(key.to_string()), json!(origin), json!(kinds)]);
            }
            listing.print(options, out)
        }
        ProviderCommand::Remove { key } => {
            if operator.sql.delete_provider(&key).await? {
                return print_line(out, format_args!("removed {key}"));
            }
            Err(CommandError::not_found(format!(
                "{key} was not imported; `dify-openapi connection provider list` lists the providers"
            )))
        }
    }
}

async fn list(
    operator: &Operator,
    workspace: Option<&str>,
    options: ListOptions,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let workspaces = match workspace {
        Some(workspace) => vec![operator.workspace(workspace).await?],
        None => operator.sql.list_workspaces().await?.into_iter().map(|workspace| workspace.id).collect(),
    };
    let mut listing = Listing::new("connections", COLUMNS, "id");
    for workspace in workspaces {
        for connection in operator.sql.list_connections(workspace, None).await? {
            listing.push([
                json!(connection.id.to_string()),
                json!(connection.workspace_id.to_string()),
                json!(connection.provider),
                json!(connection.name),
                json!(connection.kind.as_str()),
                json!(connection.visibility.as_str()),
                json!(connection.health.status.as_str()),
                json!(connection.health.reason.as_ref().map(StoredValue::as_str)),
            ]);
        }
    }
    listing.print(options, out)
}
