//! Apps as a list shows them, and what a list can be narrowed to (contract section 6, `GET /apps`).

use chrono::{DateTime, Utc};

use super::mode::AppMode;
use crate::domain::{
    error::{Error, Result},
    id::{AppId, WorkspaceId},
};

/// Characters of a name filter at most.
const MAX_NAME: usize = 200;
/// Modes that can be asked for although no list ever holds them: Dify keeps such rows, but they are no apps one can run.
const NEVER_LISTED: [&str; 3] = ["channel", "rag-pipeline", "agent"];

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSummary {
    /// Its id.
    pub id: AppId,
    /// Display name.
    pub name: String,
    /// Empty when there is none.
    pub description: String,
    /// What kind it is.
    pub mode: AppMode,
    /// Names of its tags, in order.
    pub tags: Vec<String>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// The name of the account that made it; none when that account is gone or was never known.
    pub created_by_name: Option<String>,
    /// The workspace it belongs to.
    pub workspace_id: WorkspaceId,
    /// That workspace's name.
    pub workspace_name: String,
}

/// What a list is narrowed to. Members that are `None` let everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppFilter {
    /// Of this kind.
    pub mode: Option<ModeFilter>,
    /// By name.
    pub name: Option<NameFilter>,
    /// With the workspace's tag of exactly this name.
    pub tag: Option<String>,
}

/// Kinds a list is narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeFilter {
    /// This one.
    Only(AppMode),
    /// One that is never listed.
    Nothing,
}

/// Names a list is narrowed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameFilter {
    /// This text anywhere in the name, in any case; no character of it is a wildcard.
    Contains(String),
    /// The app with this id alone.
    Id(AppId),
}

impl AppFilter {
    /// Reads what a caller wrote; empty texts narrow nothing. `invalid_param` for an unknown mode or a name that is too long.
    pub fn parse(mode: Option<&str>, name: Option<&str>, tag: Option<&str>) -> Result<Self> {
        let name = name.filter(|name| !name.is_empty());
        if name.is_some_and(|name| name.chars().nth(MAX_NAME).is_some()) {
            return Err(Error::invalid_param("query", "name", format!("must be at most {MAX_NAME} characters long")));
        }
        Ok(Self {
            mode: mode.map(ModeFilter::parse).transpose()?,
            name: name.map(|name| match name.parse() {
                Ok(id) => NameFilter::Id(id),
                Err(_) => NameFilter::Contains(name.to_owned()),
            }),
            tag: tag.filter(|tag| !tag.is_empty()).map(str::to_owned),
        })
    }

    /// Whether no app can pass: a mode that is never listed, or text with a NUL, which no database holds.
    pub fn matches_nothing(&self) -> bool {
        let hopeless_name = matches!(&self.name, Some(NameFilter::Contains(name)) if name.contains('\0'));
        let hopeless_tag = self.tag.as_ref().is_some_and(|tag| tag.contains('\0'));
        self.mode == Some(ModeFilter::Nothing) || hopeless_name || hopeless_tag
    }
}

impl ModeFilter {
    /// The one kind that passes; none where nothing does.
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
