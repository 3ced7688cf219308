//! `check-config`: the effective configuration, or every problem with it.

use std::io::Write;

use super::{error::CommandError, output::check_written};
use crate::config::{Config, Env};

/// Prints `NAME=value` lines, secrets hidden, then the warnings. The error lists every problem.
pub(crate) fn run(env: Env<'_>, out: &mut dyn Write) -> Result<(), CommandError> {
    let config = Config::for_serve(env)?;
    let written = (|| -> std::io::Result<()> {
        for (name, value) in config.describe() {
            writeln!(out, "{name}={value}")?;
        }
        for warning in &config.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        writeln!(out, "The configuration is complete.")
    })();
    check_written("configuration", written)
}
