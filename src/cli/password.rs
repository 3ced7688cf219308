//! A password, as it is typed at a terminal or comes through a pipe.

use std::{
    io::{self, BufRead, IsTerminal as _, Write as _},
    thread,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::{Failure, serve::Signals};
use crate::domain::secret::Secret;

/// The password of this account: at a terminal it is asked for twice and not shown, elsewhere it is the first line of
/// standard input.
pub(super) async fn ask(email: &str) -> Result<Secret, Failure> {
    let input = io::stdin();
    if !input.is_terminal() {
        return read(&mut input.lock());
    }
    let mut signals = Signals::listen();
    // Dropped on every way out of here, also that of ^C, which would otherwise leave the shell without an echo.
    let _unseen = Unseen::begin().map_err(|cause| {
        Failure::other(format!(
            "the terminal would show the password ({cause}); pass it on standard input, as in `echo … | dify-openapi account …`"
        ))
    })?;
    let (first, again) = (format!("Password for {email}: "), "The same password again: ");
    let (typed, answer) = oneshot::channel();
    // A thread of its own, which nobody waits for: a line that is never typed must not keep the process.
    thread::spawn(move || typed.send(line_for(&first).and_then(|one| Ok((one, line_for(again)?)))));
    let (one, other) = tokio::select! {
        () = signals.next() => return Err(Failure::other("interrupted; nothing was changed, run the command again")),
        typed = answer => typed.map_err(io::Error::other).flatten().map_err(|cause| unread(&cause))?,
    };
    if one.is_empty() {
        return Err(Failure::usage("no password was typed; run the command again"));
    }
    if one != other {
        return Err(Failure::usage("the two passwords differ; run the command again"));
    }
    Ok(Secret::new(one.as_str()))
}

/// Reads a password: the first line of the input, without its line end.
pub(crate) fn read(input: &mut dyn BufRead) -> Result<Secret, Failure> {
    let line = line_of(input).map_err(|cause| unread(&cause))?;
    if line.is_empty() {
        return Err(Failure::usage(
            "no password was given; pass it on standard input, as in `echo … | dify-openapi account …`",
        ));
    }
    Ok(Secret::new(line.as_str()))
}

fn unread(cause: &io::Error) -> Failure {
    Failure::other(format!("the password could not be read ({cause}); pass it on standard input"))
}

fn line_of(input: &mut dyn BufRead) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    input.read_line(&mut line)?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}

/// Standard output is for what the command prints, so the question goes to standard error.
fn line_for(question: &str) -> io::Result<Zeroizing<String>> {
    let mut screen = io::stderr();
    screen.write_all(question.as_bytes())?;
    screen.flush()?;
    line_of(&mut io::stdin().lock())
}

/// While it lives, the terminal shows nothing that is typed but the ends of lines.
struct Unseen(Termios);

impl Unseen {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        unseen.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Now, &unseen)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that is gone by now has nothing to show either.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
