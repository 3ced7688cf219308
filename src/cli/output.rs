//! What commands print, and what becomes of it.

use std::{
    fmt,
    io::{self, Write},
};

use super::Failure;

/// Prints a line.
pub(super) fn say(out: &mut dyn Write, line: impl fmt::Display) -> Result<(), Failure> {
    printed("output", writeln!(out, "{line}"))
}

/// Prints a whole document.
pub(super) fn print(what: &str, bytes: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    printed(what, out.write_all(bytes).and_then(|()| out.flush()))
}

/// How printing went. A reader that has seen enough, as `head` has, is nobody's fault.
pub(super) fn printed(what: &str, done: io::Result<()>) -> Result<(), Failure> {
    match done {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("the {what} could not be printed ({cause}); check where it goes")))
        }
        _ => Ok(()),
    }
}
