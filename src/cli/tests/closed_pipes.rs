//! Printing commands when the reader has closed the pipe, and when the disk is full.

use std::io::{self, Write};

use crate::{
    cli::{check_config, error::CommandError, exit_code::CommandErrorKind, openapi, output, shell},
    config::Config,
    http::routes,
};

/// An output whose writes fail with this error.
struct Failing(io::ErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

/// Runs every command that prints without a database.
fn print_everything(out: &mut dyn Write) -> Vec<Result<(), CommandError>> {
    let env = |name: &str| match name {
        "SECRET_KEY" => Some("geheim-q8Zr1vYwT0m5uJx3nKc7bPd9sLf2".to_owned()),
        "CONSOLE_WEB_URL" => Some("https://dify.example.com".to_owned()),
        "DATA_DIR" => Some("/srv/dify".to_owned()),
        _ => None,
    };
    vec![
        openapi::run(routes::openapi(false).as_bytes(), out),
        check_config::print(&Config::for_serve(&env).unwrap(), out),
        shell::man(out),
        shell::completions(clap_complete::Shell::Fish, out),
        output::print_line(out, "a line"),
    ]
}

#[test]
fn closed_pipe_is_not_an_error() {
    for done in print_everything(&mut Failing(io::ErrorKind::BrokenPipe)) {
        done.unwrap();
    }
}

#[test]
fn failed_write_is_an_error() {
    for done in print_everything(&mut Failing(io::ErrorKind::StorageFull)) {
        let error = done.unwrap_err();
        assert!(
            error.kind == CommandErrorKind::Failure && error.to_string().contains("could not be printed"),
            "{error}"
        );
    }
}
