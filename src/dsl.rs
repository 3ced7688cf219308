//! Dify's DSL: apps as YAML files, read with distrust and written so that reading gives the same again.
//!
//! A file is checked whole before anything is created from it; an error contains its place, and its line where that is
//! known. Nothing here touches a store.

pub mod demo;
mod error;
mod files;
mod findings;
mod graph;
mod model_config;
mod outline;
mod write;
mod yaml;

use serde_json::Value;

use self::{error::DslError, findings::Findings};
use crate::domain::app::file::AppFile;

pub use self::write::write;
pub(crate) use self::yaml::LONGEST;

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Read {
    pub app: AppFile,
    /// What will not work as it stands, a sentence each: the app is imported all the same.
    pub warnings: Vec<String>,
}

/// Reads a file of the versions 0.1 to 0.6.
pub fn read(text: &str) -> Result<Read, DslError> {
    let document = yaml::Document::read(text)?;
    let mut findings = Findings::default();
    match read_app(&document.value, &mut findings) {
        Ok(app) => {
            let mut warnings = findings.unsupported;
            warnings.append(&mut findings.warnings);
            document.set_lines(&mut warnings);
            Ok(Read { app, warnings: warnings.iter().map(DslError::to_string).collect() })
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
pub(crate) fn check(text: &str) -> Checked {
    let document = match yaml::Document::read(text) {
        Ok(document) => document,
        Err(fault) => return Checked { faults: vec![fault], warnings: Vec::new() },
    };
    let mut findings = Findings::default();
    let result = read_app(&document.value, &mut findings);
    let Findings { unsupported: mut faults, mut warnings } = findings;
    faults.extend(result.err().filter(|fault| !faults.contains(fault)));
    document.set_lines(&mut faults);
    document.set_lines(&mut warnings);
    Checked { faults, warnings }
}

fn read_app(document: &Value, findings: &mut Findings) -> Result<AppFile, DslError> {
    yaml::without_nul(document)?;
    let outline = outline::read(document)?;
    let body = if outline.mode.has_graph() {
        graph::read(document, outline.mode, findings)?
    } else {
        model_config::read(document, outline.mode, findings)?
    };
    Ok(outline.with(body))
}

#[cfg(test)]
mod tests;
