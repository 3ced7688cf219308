//! What becomes of a command whose reader goes away, and of one whose disk is full.

use std::io::{self, Write};

use super::*;

/// An output that fails in one way.
struct Failing(io::ErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

/// Everything that prints without a database.
fn print_everything(out: &mut dyn Write) -> Vec<Result<(), Failure>> {
    let env = |name: &str| match name {
        "SECRET_KEY" => Some("geheim-geheim-geheim-geheim-geheim".to_owned()),
        "CONSOLE_WEB_URL" => Some("https://dify.example.com".to_owned()),
        "DATA_DIR" => Some("/srv/dify".to_owned()),
        _ => None,
    };
    vec![
        openapi::run(OPENAPI.as_bytes(), out),
        check_config::run(&env, out),
        shell::man(out),
        shell::completions(clap_complete::Shell::Fish, out),
        output::say(out, "a line"),
    ]
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for done in print_everything(&mut Failing(io::ErrorKind::BrokenPipe)) {
        done.unwrap();
    }
}

#[test]
fn what_cannot_be_written_is_told() {
    for done in print_everything(&mut Failing(io::ErrorKind::StorageFull)) {
        let failure = done.unwrap_err();
        assert!(failure.code == 1 && failure.to_string().contains("could not be printed"), "{failure}");
    }
}
