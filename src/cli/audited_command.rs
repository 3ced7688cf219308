//! The words of a command, for the audit trail.

use clap::ArgMatches;

/// Groups of commands that work on stored data.
const GROUPS: [&str; 6] = ["account", "workspace", "app", "connection", "token", "migrate"];
/// Commands of these groups that change nothing and reveal no content.
const READERS: [&str; 4] = ["check", "list", "plan", "status"];

/// The words of a command that changes or reveals stored data, such as `account create`, without its arguments.
pub(super) fn audited_command(matches: &ArgMatches) -> Option<String> {
    let mut words: Vec<&str> = Vec::new();
    let mut command = matches;
    while let Some((word, inner)) = command.subcommand() {
        words.push(word);
        command = inner;
    }
    let is_rehearsal = ["dry_run", "sql"]
        .iter()
        .any(|option| command.try_get_one::<bool>(option).ok().flatten().is_some_and(|is_set| *is_set));
    let changes = GROUPS.contains(words.first()?) && !READERS.contains(words.last()?);
    (changes && !is_rehearsal).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::arguments::Cli;

    #[test]
    fn commands_that_change_or_reveal_are_audited_without_their_arguments() {
        for (line, words) in [
            ("account create ada@example.com", Some("account create")),
            ("app access-mode set Translator public", Some("app access-mode set")),
            ("app export Translator", Some("app export")),
            ("connection provider remove acme/search/search", Some("connection provider remove")),
            ("migrate up", Some("migrate up")),
            ("account delete ada@example.com --dry-run", None),
            ("migrate up --sql", None),
            ("account list", None),
            ("connection provider list", None),
            ("migrate status", None),
            ("openapi", None),
        ] {
            let matches = Cli::command().get_matches_from(format!("dify-openapi {line}").split(' '));
            assert_eq!(audited_command(&matches).as_deref(), words, "{line}");
        }
    }
}
