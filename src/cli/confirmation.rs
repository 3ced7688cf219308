//! Confirms a command that destroys something: by an option, or by an answer on a terminal.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write},
};

use clap::Args;

use super::{error::CommandError, output::print_line, printable::Printable};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct ConfirmOptions {
    /// Do not ask. Required when standard input is not a terminal.
    #[arg(short, long)]
    yes: bool,
    /// Print what would be done, and change nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

impl ConfirmOptions {
    pub(super) const fn is_dry_run(self) -> bool {
        self.dry_run
    }

    /// Returns whether the command goes on. `loss` is a sentence without its full stop: what will end or be lost. Fails
    /// with `refused` without a confirmation.
    pub(super) async fn obtain(self, loss: impl fmt::Display, out: &mut dyn Write) -> Result<bool, CommandError> {
        if self.dry_run {
            print_line(out, format_args!("{loss} (dry run: nothing was changed)"))?;
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(CommandError::refused(format_args!(
                "{loss}; add --yes to confirm that, or --dry-run to change nothing"
            )));
        }
        let question = format!("{}. Continue? [y/N] ", Printable(loss));
        let answer = tokio::task::spawn_blocking(move || ask(&question)).await.map_err(io::Error::other).flatten();
        let answer = answer.map_err(|cause| {
            CommandError::other(format_args!("the answer could not be read ({cause}); add --yes to confirm"))
        })?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            return Ok(true);
        }
        Err(CommandError::refused("nothing was changed"))
    }
}

/// Asks on standard error, so that standard output has only the command's result.
fn ask(question: &str) -> io::Result<String> {
    let mut screen = io::stderr();
    screen.write_all(question.as_bytes())?;
    screen.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer)
}
