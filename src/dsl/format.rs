//! DSL files for the use cases of apps.

use super::{LONGEST, Read, error::DslError, findings::Findings, read_file, version, yaml};
use crate::{
    domain::{Result, app::file::AppFile},
    memory::weight::yaml_weight,
    ports::app_file_format::{AppFileError, AppFileFormat, AppFileReading, FileAge, FileVersion, ReadAppFile},
};

/// Dify's DSL.
pub(crate) struct DslFormat {
    /// Whether the tools of plugins can be invoked.
    pub has_plugin_daemon: bool,
}

impl AppFileFormat for DslFormat {
    fn max_bytes(&self) -> usize {
        LONGEST
    }

    fn version(&self) -> &'static str {
        version::VERSION
    }

    fn weight(&self, text: &str) -> usize {
        yaml_weight(text.as_bytes())
    }

    fn read(&self, text: &str, accepts_newer: bool) -> Result<AppFileReading, AppFileError> {
        let error = |fault: DslError| AppFileError(fault.to_string());
        let document = yaml::Document::read(text).map_err(error)?;
        let is_refused = |version: &FileVersion| version.age == FileAge::Newer && !accepts_newer;
        if let Some(version) = version::read(&document.value["version"]).ok().filter(is_refused) {
            return Ok(AppFileReading::Newer(version));
        }
        let findings = Findings::new(self.has_plugin_daemon);
        let Read { app, version, warnings } = read_file(&document, accepts_newer, findings).map_err(error)?;
        Ok(AppFileReading::Read(Box::new(ReadAppFile { app, version, has_warnings: !warnings.is_empty() })))
    }

    fn write(&self, app: &AppFile) -> Result<String> {
        super::write(app)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsl::demo;

    #[test]
    fn newer_file_is_read_only_on_request() {
        let format = DslFormat { has_plugin_daemon: false };
        let newer = demo::FILES[0].replacen("version: 0.6.0", "version: 0.9.0", 1);
        assert_ne!(newer, demo::FILES[0]);
        let AppFileReading::Newer(version) = format.read(&newer, false).unwrap() else { panic!("it is newer") };
        assert_eq!((version.text.as_str(), version.age), ("0.9.0", FileAge::Newer));
        let AppFileReading::Read(read) = format.read(&newer, true).unwrap() else { panic!("it is accepted") };
        assert!(!read.has_warnings);
        let AppFileReading::Read(current) = format.read(demo::FILES[0], false).unwrap() else { panic!("it is ours") };
        assert_eq!(read.app, current.app);
    }
}
