//! `check-config`: the effective configuration, or everything that is wrong with it.

use std::io::Write;

use super::{Failure, output::printed};
use crate::config::{Config, Env};

/// Prints a `NAME=value` line each, secrets hidden, then the warnings; fails with every problem.
pub(crate) fn run(env: Env<'_>, out: &mut dyn Write) -> Result<(), Failure> {
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
    printed("configuration", written)
}
