//! `completions` and `man`: what a shell and `man` learn of this command line, from the same definitions that read it.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Failure, NAME, output::print};

/// Prints the completion script of a shell.
pub(crate) fn completions(shell: Shell, out: &mut dyn Write) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    if shell == Shell::Bash {
        script = relabelled(&String::from_utf8_lossy(&script)).into_bytes();
    }
    print("script", &script, out)
}

/// The script for bash keeps the command so far in a variable and looks it up among labels. For a program with a hyphen in
/// its name `clap_complete` (4.6) writes the two differently, so that nothing below the first word would ever be found.
fn relabelled(script: &str) -> String {
    script.replace(&NAME.replace('-', "__subcmd__"), &NAME.replace('-', "__"))
}

/// Prints the manual page: the program, then each command in a section of its own, so that one page is all there is.
pub(crate) fn man(out: &mut dyn Write) -> Result<(), Failure> {
    let page = manual().map_err(|cause| {
        Failure::other(format!("the manual page could not be made ({cause}); read `dify-openapi --help` instead"))
    })?;
    print("manual page", &page, out)
}

fn manual() -> io::Result<Vec<u8>> {
    let mut program = Cli::command().disable_help_subcommand(true).mut_subcommands(quiet);
    // Names each command in full, as `dify-openapi token revoke`.
    program.build();
    let man = Man::new(program.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    // A word that is cut in two, or a line that is stretched, is not what has to be typed.
    page.extend_from_slice(b".nh\n.ad l\n");
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    commands(&program, &mut page)?;
    page.extend(examples(&man)?.into_bytes());
    man.render_version_section(&mut page)?;
    Ok(page)
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

/// The section of examples, in lines as they are: they are there to be copied.
fn examples(man: &Man) -> io::Result<String> {
    let mut section = Vec::new();
    man.render_extra_section(&mut section)?;
    let section = String::from_utf8_lossy(&section).replace(".SH EXTRA\n", ".SH EXAMPLES\n.nf\n");
    // After an empty line come sentences.
    Ok(section.replace("\n\n", "\n.fi\n.PP\n") + ".fi\n")
}
