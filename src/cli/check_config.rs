//! `check-config`: the effective configuration, or every problem with it.

use std::io::Write;

use super::{error::CommandError, output::check_written};
use crate::config::{Config, Env};

/// Prints `NAME=value` lines without secrets, then the warnings. The error lists all problems.
pub(crate) fn run(env: Env<'_>, out: &mut dyn Write) -> Result<(), CommandError> {
    let config = Config::for_serve(env)?;
    let written = (|| -> std::io::Result<()> {
        for (setting, value) in config.describe() {
            writeln!(out, "{setting}={value}")?;
        }
        for warning in &config.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        writeln!(out, "The configuration is complete.")
    })();
    check_written("configuration", written)
}
