//! Turns clap's usage errors into one sentence.

use std::ffi::OsString;

use clap::{
    CommandFactory as _,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::arguments::{Cli, PROGRAM};

/// The sentence; `None` for help and the version.
pub(super) fn sentence(error: &clap::Error, args: &[OsString]) -> Option<String> {
    let command = typed_command(args);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Some(format!("no command was given; `{command} --help` lists the commands"))
        }
        _ => {
            let text = error.render().to_string();
            // The paragraphs after the first are tips and usage. Missing arguments are on lines of the first paragraph.
            let first = text.split("\n\n").next().unwrap_or_default();
            let words = first.split_whitespace().collect::<Vec<_>>().join(" ");
            let words = words.trim_start_matches("error: ");
            let tip = suggestion(error).map(|words| format!(" (did you mean {words}?)")).unwrap_or_default();
            Some(format!("{words}{tip}; see `{command} --help`"))
        }
    }
}

/// The longest valid command at the start of the arguments.
fn typed_command(args: &[OsString]) -> String {
    let program = Cli::command();
    let (mut command, mut name) = (&program, PROGRAM.to_owned());
    for word in args.iter().skip(1) {
        let Some(next) = command.find_subcommand(word) else { break };
        name = format!("{name} {}", next.get_name());
        command = next;
    }
    name
}

/// The words that clap suggests instead, in back-quotes.
fn suggestion(error: &clap::Error) -> Option<String> {
    let similar = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let words = similar.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(word) => Some(vec![word.clone()]),
        ContextValue::Strings(words) if !words.is_empty() => Some(words.clone()),
        _ => None,
    });
    let words = words.or_else(|| option_of_other_command(error))?;
    Some(words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "))
}

/// An option that another command has; clap writes "'dev --fresh' exists".
fn option_of_other_command(error: &clap::Error) -> Option<Vec<String>> {
    let ContextValue::StyledStrs(tips) = error.get(ContextKind::Suggested)? else { return None };
    tips.iter().find_map(|tip| {
        let tip = tip.to_string();
        let words = tip.strip_prefix('\'')?.strip_suffix("' exists")?;
        Some(vec![words.to_owned()])
    })
}
