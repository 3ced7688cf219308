//! Dify's DSL: apps as YAML files, read with distrust and written so that reading gives the same again.
//!
//! A file is checked whole before anything is created from it; an error contains its place, and its line where that is
//! known. Nothing here touches a store.

pub mod demo;
mod error;
mod findings;
pub(crate) mod format;
mod graph;
mod model_config;
mod outline;
mod version;
mod write;
mod yaml;

use serde_json::Value;

use self::{error::DslError, findings::Findings};
use crate::{domain::app::file::AppFile, ports::app_file_format::FileVersion};

pub use self::write::write;
pub(crate) use self::yaml::LONGEST;

/// Reads the only document of a YAML file as Dify reads its YAML.
pub(crate) fn read_yaml(text: &str) -> Result<Value, DslError> {
    Ok(yaml::Document::read(text)?.value)
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Read {
    pub app: AppFile,
    pub(crate) version: FileVersion,
    /// What will not work as it stands, a sentence each: the app is imported all the same.
    pub warnings: Vec<String>,
}

/// Reads a file of the versions 0.1 to 0.6, for a service without a plugin daemon.
pub fn read(text: &str) -> Result<Read, DslError> {
    read_for(text, false)
}

/// Reads a file of the versions 0.1 to 0.6.
pub(crate) fn read_for(text: &str, has_plugin_daemon: bool) -> Result<Read, DslError> {
    read_file(&yaml::Document::read(text)?, false, Findings::new(has_plugin_daemon))
}

/// Reads the app of a document, of a newer version only if it is accepted.
fn read_file(document: &yaml::Document<'_>, accepts_newer: bool, mut findings: Findings) -> Result<Read, DslError> {
    match read_app(&document.value, accepts_newer, &mut findings) {
        Ok((version, app)) => {
            let mut warnings = findings.unsupported;
            warnings.append(&mut findings.warnings);
            document.set_lines(&mut warnings);
            Ok(Read { app, version, warnings: warnings.iter().map(DslError::to_string).collect() })
        }
        Err(mut fault) => {
            document.set_lines(std::slice::from_mut(&mut fault));
            Err(fault)
        }
    }
}

/// What a check of a file found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Everything that keeps the app from being imported or from running here.
    pub faults: Vec<DslError>,
    /// What will not work as it stands in an app that runs.
    pub warnings: Vec<DslError>,
}

/// Checks a file without importing it.
pub(crate) fn check(text: &str, has_plugin_daemon: bool) -> Checked {
    let document = match yaml::Document::read(text) {
        Ok(document) => document,
        Err(fault) => return Checked { faults: vec![fault], warnings: Vec::new() },
    };
    let mut findings = Findings::new(has_plugin_daemon);
    let result = read_app(&document.value, false, &mut findings);
    let Findings { unsupported: mut faults, mut warnings, .. } = findings;
    faults.extend(result.err().filter(|fault| !faults.contains(fault)));
    document.set_lines(&mut faults);
    document.set_lines(&mut warnings);
    Checked { faults, warnings }
}

fn read_app(
    document: &Value,
    accepts_newer: bool,
    findings: &mut Findings,
) -> Result<(FileVersion, AppFile), DslError> {
    yaml::without_nul(document)?;
    let outline = outline::read(document, accepts_newer)?;
    let body = if outline.mode.has_graph() {
        graph::read(document, outline.mode, findings)?
    } else {
        model_config::read(document, outline.mode, findings)?
    };
    Ok(outline.with(body))
}

#[cfg(test)]
mod tests;
