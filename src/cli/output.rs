//! Prints to standard output. A closed pipe is not an error.

use std::{
    fmt,
    io::{self, Write},
};

use super::{error::CommandError, printable::Printable};

/// Prints a line. Unprintable characters in it are escaped, also line breaks.
pub(super) fn print_line(out: &mut dyn Write, line: impl fmt::Display) -> Result<(), CommandError> {
    check_written("output", writeln!(out, "{}", Printable(line)))
}

/// Prints a whole document; `what` names it in the error.
pub(super) fn print_document(what: &str, bytes: &[u8], out: &mut dyn Write) -> Result<(), CommandError> {
    check_written(what, out.write_all(bytes).and_then(|()| out.flush()))
}

/// The error of a failed write. A reader that closes the pipe early, such as `head`, is not an error.
pub(super) fn check_written(what: &str, done: io::Result<()>) -> Result<(), CommandError> {
    match done {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(CommandError::other(format!("the {what} could not be printed ({cause}); check where it goes")))
        }
        _ => Ok(()),
    }
}
