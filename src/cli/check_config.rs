//! `check-config`: the effective configuration, or every problem with it.

use std::io::Write;

use super::{error::CommandError, output::check_written, serve::reject_misspelled};
use crate::config::{Config, process_env};

/// The error lists all problems.
pub(crate) fn run(out: &mut dyn Write) -> Result<(), CommandError> {
    let config = Config::for_serve(&process_env).map_err(CommandError::from);
    print(&reject_misspelled(config)?, out)
}

/// Prints `NAME=value` lines without secrets, then the warnings.
pub(crate) fn print(config: &Config, out: &mut dyn Write) -> Result<(), CommandError> {
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
