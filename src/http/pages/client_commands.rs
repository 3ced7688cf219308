//! The commands with which devices sign in, by client (`OPENAPI_CLIENT_COMMANDS`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::device_handle::ClientTag;

/// The client whose command is known without a setting.
const DIFYCTL: &str = "difyctl";
/// Limit of the commands on a page that knows no client.
const MAX_SHOWN: usize = 4;

/// A client and the command with which it signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ClientCommand {
    pub client: String,
    pub command: String,
}

/// The commands of the clients that may ask for codes, in the order of the setting.
pub(super) struct ClientCommands(Vec<ClientCommand>);

impl ClientCommands {
    /// `issuer` is the URL of this server.
    pub(super) fn new(issuer: &str, clients: &[String], configured: &BTreeMap<String, String>) -> Self {
        let command = |client: &String| match configured.get(client) {
            Some(command) => Some(command.clone()),
            None => (client == DIFYCTL).then(|| login_command(issuer)),
        };
        let of_client = |client: &String| Some(ClientCommand { client: client.clone(), command: command(client)? });
        Self(clients.iter().filter_map(of_client).collect())
    }

    /// The command of a client; empty when none is known.
    pub(super) fn of_client(&self, client: &str) -> Vec<ClientCommand> {
        self.0.iter().filter(|known| known.client == client).cloned().collect()
    }

    /// The command of the client with this tag; empty when none is known.
    pub(super) fn of_tag(&self, tag: ClientTag) -> Vec<ClientCommand> {
        self.0.iter().filter(|known| ClientTag::of(&known.client) == tag).take(1).cloned().collect()
    }

    /// The commands for a page that knows no client. Empty when there are too many to be of help.
    pub(super) fn of_unknown_client(&self) -> Vec<ClientCommand> {
        if self.0.len() > MAX_SHOWN { Vec::new() } else { self.0.clone() }
    }
}

/// The command with which difyctl signs in to the server at this URL.
pub(crate) fn login_command(url: &str) -> String {
    let unencrypted = if url.starts_with("http://") { " --insecure" } else { "" };
    format!("difyctl auth login --host {url}{unencrypted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(clients: &[&str], configured: &[(&str, &str)]) -> ClientCommands {
        let clients: Vec<_> = clients.iter().map(|client| (*client).to_owned()).collect();
        let configured = configured.iter().map(|(client, command)| ((*client).to_owned(), (*command).to_owned()));
        ClientCommands::new("https://dify.example", &clients, &configured.collect())
    }

    fn texts(found: &[ClientCommand]) -> Vec<&str> {
        found.iter().map(|found| found.command.as_str()).collect()
    }

    #[test]
    fn login_command_names_the_server_and_marks_unencrypted_urls() {
        assert_eq!(login_command("https://dify.example"), "difyctl auth login --host https://dify.example");
        assert_eq!(
            login_command("http://127.0.0.1:5001"),
            "difyctl auth login --host http://127.0.0.1:5001 --insecure"
        );
    }

    #[test]
    fn each_client_has_its_own_command() {
        let commands = commands(&["difyctl", "acme-cli", "silent"], &[("acme-cli", "acme login")]);
        let difyctl = "difyctl auth login --host https://dify.example";
        assert_eq!(texts(&commands.of_client("acme-cli")), ["acme login"]);
        assert_eq!(texts(&commands.of_tag(ClientTag::of("acme-cli"))), ["acme login"]);
        assert_eq!(texts(&commands.of_client("difyctl")), [difyctl]);
        for unknown in ["silent", "elsewhere"] {
            assert!(commands.of_client(unknown).is_empty() && commands.of_tag(ClientTag::of(unknown)).is_empty());
        }
        assert_eq!(texts(&commands.of_unknown_client()), [difyctl, "acme login"]);
    }

    #[test]
    fn command_of_difyctl_can_be_replaced_and_many_commands_are_not_listed() {
        assert_eq!(texts(&commands(&["difyctl"], &[("difyctl", "dify in")]).of_unknown_client()), ["dify in"]);
        let many = [("a", "a in"), ("b", "b in"), ("c", "c in"), ("d", "d in"), ("e", "e in")];
        assert_eq!(commands(&["a", "b", "c", "d"], &many[..4]).of_unknown_client().len(), 4);
        assert!(commands(&["a", "b", "c", "d", "e"], &many).of_unknown_client().is_empty());
    }
}
