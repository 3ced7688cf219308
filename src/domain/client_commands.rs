//! The commands with which devices sign in, by client (`OPENAPI_CLIENT_COMMANDS`): for the pages, and for the hints and
//! messages of the API.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;

use super::{
    device_handle::ClientTag,
    error::{Code, Error},
    sign_in_hint::{SIGN_IN_FOR_NEW_CODE, sign_in_hint},
};

/// The client whose command is known without a setting.
const DIFYCTL: &str = "difyctl";
/// The client of tokens that an operator issues.
pub(crate) const OPERATOR_CLIENT_ID: &str = "dify-openapi";
/// Limit of the commands on a page that knows no client.
const MAX_SHOWN: usize = 4;

/// A client and the command with which it signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ClientCommand {
    pub client: String,
    pub command: String,
}

/// The commands of the clients that may ask for codes, in the order of the setting.
#[derive(Debug, Default)]
pub struct ClientCommands(Vec<ClientCommand>);

impl ClientCommands {
    /// `issuer` is the URL of this server.
    pub fn new(issuer: &str, clients: &[String], configured: &BTreeMap<String, String>) -> Self {
        let command = |client: &String| match configured.get(client) {
            Some(command) => Some(command.clone()),
            None => (client == DIFYCTL).then(|| login_command(issuer)),
        };
        let of_client = |client: &String| Some(ClientCommand { client: client.clone(), command: command(client)? });
        Self(clients.iter().filter_map(of_client).collect())
    }

    /// The command of a client; empty when none is known.
    pub(crate) fn of_client(&self, client: &str) -> Vec<ClientCommand> {
        self.0.iter().filter(|known| known.client == client).cloned().collect()
    }

    /// The command of the client with this tag; empty when none is known.
    pub(crate) fn of_tag(&self, tag: ClientTag) -> Vec<ClientCommand> {
        self.0.iter().filter(|known| ClientTag::of(&known.client) == tag).take(1).cloned().collect()
    }

    /// The commands for a page that knows no client. Empty when there are too many to be of help.
    pub(crate) fn of_unknown_client(&self) -> Vec<ClientCommand> {
        if self.0.len() > MAX_SHOWN { Vec::new() } else { self.0.clone() }
    }

    /// The error of a code that is unknown, expired or redeemed (RFC 8628 section 3.5).
    pub(crate) fn expired_token(&self, client: &str) -> Error {
        let again = match self.find(client).filter(|command| is_error_description(command)) {
            Some(command) => Cow::Owned(format!("Run `{command}` for a new one.")),
            None => Cow::Borrowed(SIGN_IN_FOR_NEW_CODE),
        };
        Error::new(Code::ExpiredToken, format!("This code is no longer valid. {again}"))
    }

    /// Adds the hint how to get a token, unless the error has a hint. Only errors about bearer tokens get one. The
    /// client is that of the token, if it is known, or else the one that the `User-Agent` names first.
    pub(crate) fn with_sign_in_hint(&self, error: Error, client: Option<&str>, user_agent: Option<&str>) -> Error {
        if error.hint().is_some() {
            return error;
        }
        if client == Some(OPERATOR_CLIENT_ID) {
            // The holder of such a token has no sign-in of its own.
            return error.with_hint("An operator issues a new token with `dify-openapi token create`.");
        }
        let named = || user_agent.and_then(|text| text.split_once('/')).map(|(product, _)| product);
        let command = client.or_else(named).and_then(|client| self.find(client));
        match sign_in_hint(error.code(), command) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn find(&self, client: &str) -> Option<&str> {
        self.0.iter().find(|known| known.client == client).map(|known| known.command.as_str())
    }
}

/// Whether a text can be part of `error_description` (RFC 6749 section 5.2).
fn is_error_description(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
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
    fn messages_and_hints_name_the_command_of_the_client() {
        let commands = commands(
            &["difyctl", "acme-cli", "silent", "quoting"],
            &[("acme-cli", "acme login"), ("quoting", "quote \"in\"")],
        );
        let difyctl = "difyctl auth login --host https://dify.example";
        let any = "This code is no longer valid. Sign in again for a new code.";
        for (client, message) in [
            ("difyctl", format!("This code is no longer valid. Run `{difyctl}` for a new one.")),
            ("acme-cli", "This code is no longer valid. Run `acme login` for a new one.".to_owned()),
            ("silent", any.to_owned()),
            ("elsewhere", any.to_owned()),
            // RFC 6749 forbids quotes in `error_description`.
            ("quoting", any.to_owned()),
        ] {
            let error = commands.expired_token(client);
            assert_eq!((error.code(), error.message()), (Code::ExpiredToken, message.as_str()), "{client}");
        }

        let missing = "Send `Authorization: Bearer dfoa_…`; ";
        for (code, with_command, without) in [
            (
                Code::BearerMissing,
                format!("{missing}get a token with `COMMAND`."),
                format!("{missing}POST /openapi/v1/oauth/device/code starts a sign-in."),
            ),
            (
                Code::BearerInvalid,
                "Sign in again with `COMMAND`.".to_owned(),
                "Sign in again to get a new token.".to_owned(),
            ),
            (
                Code::BearerExpired,
                "Sign in again with `COMMAND`.".to_owned(),
                "Sign in again to get a new token.".to_owned(),
            ),
            (
                Code::InvalidPrefix,
                "App keys belong to /v1/*. Sign in with `COMMAND` for /openapi/v1/*.".to_owned(),
                "App keys belong to /v1/*. Sign in for a token for /openapi/v1/*.".to_owned(),
            ),
            (
                Code::UnknownTokenPrefix,
                "Sign in with `COMMAND` to get a token.".to_owned(),
                "Sign in to get a token; it begins with dfoa_ or dfoe_.".to_owned(),
            ),
        ] {
            let hint = |client, agent| {
                let error = commands.with_sign_in_hint(Error::new(code, "…"), client, agent);
                error.hint().map(str::to_owned)
            };
            for (client, agent, command) in [
                (Some("acme-cli"), None, Some("acme login")),
                (Some("difyctl"), None, Some(difyctl)),
                (Some("acme-cli"), Some("difyctl/1.18.0 (linux; x64)"), Some("acme login")),
                (None, Some("difyctl/1.18.0 (linux; x64)"), Some(difyctl)),
                (None, Some("acme-cli/2.0"), Some("acme login")),
                (Some("silent"), Some("difyctl/1.18.0"), None),
                (None, Some("curl/8.5.0"), None),
                (None, Some("my difyctl/1.18.0"), None),
                (None, Some("difyctl"), None),
                (None, None, None),
            ] {
                let expected =
                    command.map_or_else(|| without.clone(), |command| with_command.replace("COMMAND", command));
                assert_eq!(hint(client, agent), Some(expected), "{code:?} {client:?} {agent:?}");
            }
        }
    }

    #[test]
    fn hints_of_other_errors_stay() {
        let commands = commands(&["difyctl"], &[]);
        let hint = |error| commands.with_sign_in_hint(error, Some("difyctl"), None).hint().map(str::to_owned);
        assert_eq!(hint(Error::new(Code::RateLimited, "…")), None);
        let issued = commands.with_sign_in_hint(Error::new(Code::BearerExpired, "…"), Some(OPERATOR_CLIENT_ID), None);
        assert_eq!(issued.hint(), Some("An operator issues a new token with `dify-openapi token create`."));
        assert_eq!(hint(Error::new(Code::BearerInvalid, "…").with_hint("Wait.")).as_deref(), Some("Wait."));
    }

    #[test]
    fn command_of_difyctl_can_be_replaced_and_many_commands_are_not_listed() {
        assert_eq!(texts(&commands(&["difyctl"], &[("difyctl", "dify in")]).of_unknown_client()), ["dify in"]);
        let many = [("a", "a in"), ("b", "b in"), ("c", "c in"), ("d", "d in"), ("e", "e in")];
        assert_eq!(commands(&["a", "b", "c", "d"], &many[..4]).of_unknown_client().len(), 4);
        assert!(commands(&["a", "b", "c", "d", "e"], &many).of_unknown_client().is_empty());
    }
}
