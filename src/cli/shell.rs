//! `completions` and `man`: what a shell and `man` learn of this command line, from the same definitions that read it.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Failure, NAME};

/// Prints the completion script of a shell.
pub fn completions(shell: Shell, out: &mut dyn Write) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    print("script", &script, out)
}

/// Prints the manual page: the program, then each command in a section of its own, so that one page is all there is.
pub fn man(out: &mut dyn Write) -> Result<(), Failure> {
    let page = manual().map_err(|cause| unprinted("manual page", &cause))?;
    print("manual page", &page, out)
}

fn manual() -> io::Result<Vec<u8>> {
    let mut program = Cli::command().disable_help_subcommand(true).mut_subcommands(quiet);
    // Names each command in full, as `dify-openapi token revoke`.
    program.build();
    let man = Man::new(program.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    commands(&program, &mut page)?;
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(String::from_utf8_lossy(&page).replace(" EXTRA\n", " EXAMPLES\n").into_bytes())
}

/// `--help` and `--version` are told once, with the program.
fn quiet(command: Command) -> Command {
    command.disable_help_flag(true).disable_version_flag(true).mut_subcommands(quiet)
}

/// The sections of a command's leaves, in the order of its help.
fn commands(parent: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    for command in parent.get_subcommands() {
        if command.has_subcommands() {
            commands(command, page)?;
        } else {
            section(command, page)?;
        }
    }
    Ok(())
}

/// A command's own page, one rank lower.
fn section(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    if command.get_after_help().is_some() {
        man.render_extra_section(&mut parts)?;
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

fn print(what: &str, bytes: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|cause| unprinted(what, &cause))
}

fn unprinted(what: &str, cause: &io::Error) -> Failure {
    Failure::other(format!("the {what} could not be printed ({cause}); check where the output goes"))
}
