//! Dify's DSL: apps as YAML files, read with distrust and written so that reading gives the same again.
//!
//! A file is checked whole before anything is made of it; what is refused is told with its place, and its line where that is
//! known. Nothing here touches a store.

pub mod demo;
mod error;
mod graph;
mod lines;
mod model_config;
mod outline;
mod write;
mod yaml;

use self::error::DslError;
use crate::domain::app::file::AppFile;

pub use self::write::write;
pub(crate) use self::yaml::LONGEST;

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// The app in it.
    pub app: AppFile,
    /// What will not work as it stands, a sentence each: the app is imported all the same.
    pub warnings: Vec<String>,
}

/// Reads a file of the versions 0.1 to 0.6.
pub fn read(text: &str) -> Result<Read, DslError> {
    let document = yaml::read(text)?;
    let read = || {
        yaml::without_nul(&document)?;
        let outline = outline::read(&document)?;
        let mut warnings = Vec::new();
        let body = if outline.mode.has_graph() {
            graph::read(&document, outline.mode, &mut warnings)?
        } else {
            model_config::read(&document, outline.mode)?
        };
        Ok(Read { app: outline.with(body), warnings })
    };
    read().map_err(|error: DslError| error.or_line(|place| lines::line_of(text, place)))
}

#[cfg(test)]
mod tests;
