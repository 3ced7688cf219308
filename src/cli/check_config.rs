//! `check-config`: the effective configuration, or everything that is wrong with it.

use std::io::Write;

use super::Failure;
use crate::config::{Config, Env};

/// Prints a `NAME=value` line each, secrets hidden, then the warnings; fails with every problem.
pub fn run(env: Env<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    let config = Config::for_serve(env)?;
    let written = (|| {
        for (name, value) in config.describe() {
            writeln!(out, "{name}={value}")?;
        }
        for warning in &config.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        writeln!(out, "The configuration is complete.")
    })();
    written.map_err(|cause: std::io::Error| {
        Failure::other(format!("the configuration could not be printed ({cause}); check where the output goes"))
    })
}
