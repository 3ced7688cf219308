//! Rows and filters of a list of apps (contract section 6, `GET /apps`).

use chrono::{DateTime, Utc};

use super::mode::AppMode;
use crate::domain::{
    error::{Error, Result},
    id::{AppId, WorkspaceId},
    violations::Violations,
};

/// Limit of characters in a name filter.
const MAX_NAME_LENGTH: usize = 200;
/// Modes that a filter accepts and that are never listed: Dify stores such rows, but they cannot be run.
const NEVER_LISTED: [&str; 3] = ["channel", "rag-pipeline", "agent"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSummary {
    pub id: AppId,
    pub name: String,
    pub description: String,
    pub mode: AppMode,
    /// Names of the app's tags, sorted.
    pub tags: Vec<String>,
    pub updated_at: DateTime<Utc>,
    /// The name of the account that created the app; `None` when the account is deleted or unknown.
    pub created_by_name: Option<String>,
    pub workspace_id: WorkspaceId,
    pub workspace_name: String,
}

/// The filters of a list. A filter that is `None` matches every app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppFilter {
    pub mode: Option<ModeFilter>,
    pub name: Option<NameFilter>,
    /// The exact name of a tag of the workspace.
    pub tag: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeFilter {
    Only(AppMode),
    /// A mode that is never listed.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameFilter {
    /// The name contains this text, compared without case and without wildcards.
    Contains(String),
    /// The app has this id.
    Id(AppId),
}

impl AppFilter {
    /// Reads the caller's parameters; an empty name or tag is no filter. Fails with `invalid_param` for an unknown mode
    /// or a name that is too long.
    pub fn parse(mode: Option<&str>, name: Option<&str>, tag: Option<&str>) -> Result<Self> {
        let mut violations = Violations::default();
        let name = name.filter(|name| !name.is_empty());
        if name.is_some_and(|name| name.chars().nth(MAX_NAME_LENGTH).is_some()) {
            let message = format!("must be at most {MAX_NAME_LENGTH} characters long");
            violations.add(Error::invalid_param("query", "name", message));
        }
        let mode = mode.map(ModeFilter::parse).transpose().unwrap_or_else(|error| {
            violations.add(error);
            None
        });
        violations.finish()?;
        Ok(Self {
            mode,
            name: name.map(|name| match name.parse() {
                Ok(id) => NameFilter::Id(id),
                Err(_) => NameFilter::Contains(name.to_owned()),
            }),
            tag: tag.filter(|tag| !tag.is_empty()).map(str::to_owned),
        })
    }

    /// Whether no app can match: a mode that is never listed, or a text with NUL, which no database stores.
    pub fn matches_nothing(&self) -> bool {
        let unknown_name = matches!(&self.name, Some(NameFilter::Contains(name)) if name.contains('\0'));
        let unknown_tag = self.tag.as_ref().is_some_and(|tag| tag.contains('\0'));
        self.mode == Some(ModeFilter::Nothing) || unknown_name || unknown_tag
    }
}

impl ModeFilter {
    /// The mode that matches; `None` when no app matches.
    pub fn only(self) -> Option<AppMode> {
        match self {
            Self::Only(mode) => Some(mode),
            Self::Nothing => None,
        }
    }

    fn parse(text: &str) -> Result<Self> {
        match AppMode::parse(text) {
            Some(mode) => Ok(Self::Only(mode)),
            None if NEVER_LISTED.contains(&text) => Ok(Self::Nothing),
            None => {
                let known = AppMode::ALL.iter().map(|mode| mode.as_str()).collect::<Vec<_>>().join(", ");
                Err(Error::invalid_param("query", "mode", format!("must be one of {known}")))
            }
        }
    }
}
