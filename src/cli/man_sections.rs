//! The sections of the manual page that clap does not know: EXIT STATUS, ENVIRONMENT and FILES.

use super::exit_code::CommandErrorKind;
use crate::config::settings::{SETTINGS, Setting};

const FILES: [(&str, &str); 2] = [
    ("$DATA_DIR/dify-openapi.db", "The database of `dev`, and of `serve` without `DATABASE_URL` or `DB_HOST`."),
    ("$DATA_DIR/secret_key", "The secret key that `dev` generates. Keep it as secret as the database."),
];

/// The sections in roff.
pub(super) fn man_sections() -> String {
    let statuses = [("0".to_owned(), "The command succeeded.".to_owned())]
        .into_iter()
        .chain(CommandErrorKind::ALL.map(|kind| (kind.exit_code().to_string(), kind.meaning().to_owned())));
    let settings = SETTINGS.iter().map(|setting| (setting.name.to_owned(), description(setting)));
    let files = FILES.into_iter().map(|(path, what)| (path.to_owned(), what.to_owned()));
    section("EXIT STATUS", statuses) + &section("ENVIRONMENT", settings) + &section("FILES", files)
}

/// The description with the default.
fn description(setting: &Setting) -> String {
    match (setting.default, setting.when_unset) {
        (Some(default), _) => format!("{} [default: `{default}`]", setting.description),
        (None, Some(otherwise)) => format!("{} [default: {otherwise}]", setting.description),
        (None, None) => setting.description.to_owned(),
    }
}

fn section(heading: &str, entries: impl Iterator<Item = (String, String)>) -> String {
    entries.fold(format!(".SH \"{heading}\"\n"), |section, (term, text)| {
        section + &format!(".TP\n\\fB{}\\fR\n\\&{}\n", escaped(&term), bold_code(&text))
    })
}

/// Markdown's `code` in bold.
fn bold_code(text: &str) -> String {
    let parts = text.split('`').map(escaped).enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { format!("\\fB{part}\\fR") } else { part }).collect()
}

/// Text that roff prints as it is, on one line.
fn escaped(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let blank_before = if text.starts_with(char::is_whitespace) { " " } else { "" };
    let blank_after = if text.ends_with(char::is_whitespace) && !line.is_empty() { " " } else { "" };
    format!("{blank_before}{line}{blank_after}").replace('\\', "\\e").replace('-', "\\-")
}
