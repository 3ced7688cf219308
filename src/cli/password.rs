//! Reads a password from a terminal, without echo, or from a pipe.

use std::{
    io::{self, BufRead, IsTerminal as _, Write as _},
    thread,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::{error::CommandError, signals::Signals};
use crate::domain::secret::Secret;

/// Prompts twice without echo if standard input is a terminal; otherwise reads the first line of standard input.
pub(super) async fn ask(email: &str) -> Result<Secret, CommandError> {
    let input = io::stdin();
    if !input.is_terminal() {
        return read(&mut input.lock());
    }
    let mut signals = Signals::listen();
    // Its drop restores the echo on every return, including after ^C.
    let _echo_off = EchoOff::start().map_err(|cause| {
        CommandError::other(format!(
            "the terminal would show the password ({cause}); pass it on standard input, as in `echo … | dify-openapi account …`"
        ))
    })?;
    let (first, again) = (format!("Password for {email}: "), "The same password again: ");
    let (typed, answer) = oneshot::channel();
    // A separate thread that is never joined: reading a terminal blocks, and must not keep the process alive.
    thread::spawn(move || typed.send(prompt(&first).and_then(|one| Ok((one, prompt(again)?)))));
    let (one, other) = tokio::select! {
        () = signals.next() => return Err(CommandError::other("interrupted; nothing was changed, run the command again")),
        typed = answer => typed.map_err(io::Error::other).flatten().map_err(|cause| read_error(&cause))?,
    };
    if one.is_empty() {
        return Err(CommandError::usage("no password was typed; run the command again"));
    }
    if one != other {
        return Err(CommandError::usage("the two passwords differ; run the command again"));
    }
    Ok(Secret::new(one.as_str()))
}

/// Reads the first line, without its line ending.
pub(crate) fn read(input: &mut dyn BufRead) -> Result<Secret, CommandError> {
    let line = first_line(input).map_err(|cause| read_error(&cause))?;
    if line.is_empty() {
        return Err(CommandError::usage(
            "no password was given; pass it on standard input, as in `echo … | dify-openapi account …`",
        ));
    }
    Ok(Secret::new(line.as_str()))
}

fn read_error(cause: &io::Error) -> CommandError {
    CommandError::other(format!("the password could not be read ({cause}); pass it on standard input"))
}

fn first_line(input: &mut dyn BufRead) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    input.read_line(&mut line)?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}

/// Prompts on standard error, so that standard output has only the command's result.
fn prompt(question: &str) -> io::Result<Zeroizing<String>> {
    let mut screen = io::stderr();
    screen.write_all(question.as_bytes())?;
    screen.flush()?;
    first_line(&mut io::stdin().lock())
}

/// Switches the terminal's echo off until it is dropped; line endings are still echoed. Holds the previous settings.
struct EchoOff(Termios);

impl EchoOff {
    fn start() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Now, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // The terminal may be closed by now.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
