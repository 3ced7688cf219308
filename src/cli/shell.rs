//! `completions` and `man`: what a shell and `man` learn of this command line, from the same definitions that read it.

use std::io::Write;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Failure, NAME};

/// Prints the completion script of a shell.
pub fn completions(shell: Shell, out: &mut dyn Write) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    print("script", &script, out)
}

/// Prints the manual page.
pub fn man(out: &mut dyn Write) -> Result<(), Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(|cause| unprinted("manual page", &cause))?;
    print("manual page", &page, out)
}

fn print(what: &str, bytes: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|cause| unprinted(what, &cause))
}

fn unprinted(what: &str, cause: &std::io::Error) -> Failure {
    Failure::other(format!("the {what} could not be printed ({cause}); check where the output goes"))
}
