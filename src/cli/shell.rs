//! `completions` and `man`: generated from the definitions that parse the command line.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{
    arguments::{Cli, PROGRAM},
    error::CommandError,
    man_sections::man_sections,
    output::print_document,
};

/// Prints the completion script of a shell.
pub(crate) fn completions(shell: Shell, out: &mut dyn Write) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), PROGRAM, &mut script);
    if shell == Shell::Bash {
        script = fix_bash_labels(&String::from_utf8_lossy(&script)).into_bytes();
    }
    print_document("script", &script, out)
}

/// The bash script stores the current command in a variable and compares it with labels. `clap_complete` (4.6) spells a
/// hyphen in the program's name differently in the two, so subcommands would never be completed.
fn fix_bash_labels(script: &str) -> String {
    script.replace(&PROGRAM.replace('-', "__subcmd__"), &PROGRAM.replace('-', "__"))
}

/// Prints one manual page: the program, a section for each command, exit codes, environment and files.
pub(crate) fn man(out: &mut dyn Write) -> Result<(), CommandError> {
    let page = manual().map_err(|cause| {
        CommandError::other(format!("the manual page could not be made ({cause}); read `dify-openapi --help` instead"))
    })?;
    print_document("manual page", &page, out)
}

fn manual() -> io::Result<Vec<u8>> {
    let mut program = Cli::command().disable_help_subcommand(true).mut_subcommands(without_builtin_flags);
    // Sets full names such as `dify-openapi token revoke`.
    program.build();
    let man = Man::new(program.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    // No hyphenation and no justification: examples must stay exactly as they are typed.
    page.extend_from_slice(b".nh\n.ad l\n");
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    write_commands(&program, &mut page)?;
    page.extend(man_sections().into_bytes());
    page.extend(examples(&man)?.into_bytes());
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// Removes `--help` and `--version`, which the page describes once, for the program.
fn without_builtin_flags(command: Command) -> Command {
    command.disable_help_flag(true).disable_version_flag(true).mut_subcommands(without_builtin_flags)
}

/// Writes a section for each command without subcommands, in the order of the help.
fn write_commands(parent: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    for command in parent.get_subcommands() {
        if command.has_subcommands() {
            write_commands(command, page)?;
        } else {
            write_section(command, page)?;
        }
    }
    Ok(())
}

/// Writes a command's own manual page with its headings one level lower.
fn write_section(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    if command.get_after_help().is_some() {
        parts.extend(examples(&man)?.into_bytes());
    }
    let name = command.get_bin_name().unwrap_or(command.get_name());
    writeln!(page, ".SH \"{}\"", name.replace('-', "\\-"))?;
    for line in String::from_utf8_lossy(&parts).lines() {
        match line.strip_prefix(".SH ") {
            Some(heading) => writeln!(page, ".SS {heading}")?,
            None => writeln!(page, "{line}")?,
        }
    }
    Ok(())
}

/// The examples section, with lines unfilled so that they can be copied.
fn examples(man: &Man) -> io::Result<String> {
    let mut section = Vec::new();
    man.render_extra_section(&mut section)?;
    let section = String::from_utf8_lossy(&section).replace(".SH EXTRA\n", ".SH EXAMPLES\n.nf\n");
    // Text after an empty line is prose again.
    Ok(section.replace("\n\n", "\n.fi\n.PP\n") + ".fi\n")
}
