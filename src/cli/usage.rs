//! What is wrong with a command line, in one sentence of clap's paragraphs.

use std::ffi::OsString;

use clap::{
    CommandFactory as _,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{Cli, NAME};

/// The sentence; `None` when help or the version was asked for.
pub(super) fn sentence(fault: &clap::Error, args: &[OsString]) -> Option<String> {
    let command = command_typed(args);
    match fault.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Some(format!("no command was given; `{command} --help` lists the commands"))
        }
        _ => {
            let text = fault.render().to_string();
            // The paragraphs after the first are tips and a usage line; lines of the first list what is missing.
            let first = text.split("\n\n").next().unwrap_or_default();
            let words = first.split_whitespace().collect::<Vec<_>>().join(" ");
            let words = words.trim_start_matches("error: ");
            let tip = meant(fault).map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
            Some(format!("{words}{tip}; see `{command} --help`"))
        }
    }
}

/// The command that was typed, as far as it is one.
fn command_typed(args: &[OsString]) -> String {
    let program = Cli::command();
    let (mut command, mut name) = (&program, NAME.to_owned());
    for word in args.iter().skip(1) {
        let Some(next) = command.find_subcommand(word) else { break };
        name = format!("{name} {}", next.get_name());
        command = next;
    }
    name
}

/// What clap takes the wrong word for, in back-quotes.
fn meant(fault: &clap::Error) -> Option<String> {
    let similar = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let words = similar.into_iter().find_map(|kind| match fault.get(kind)? {
        ContextValue::String(word) => Some(vec![word.clone()]),
        ContextValue::Strings(words) if !words.is_empty() => Some(words.clone()),
        _ => None,
    });
    let words = words.or_else(|| elsewhere(fault))?;
    Some(words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "))
}

/// An option of another command, which clap tells of as "'dev --fresh' exists".
fn elsewhere(fault: &clap::Error) -> Option<Vec<String>> {
    let ContextValue::StyledStrs(tips) = fault.get(ContextKind::Suggested)? else { return None };
    tips.iter().find_map(|tip| {
        let tip = tip.to_string();
        let words = tip.strip_prefix('\'')?.strip_suffix("' exists")?;
        Some(vec![words.to_owned()])
    })
}
