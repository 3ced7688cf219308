//! What an app is and what it takes (contract section 6, `GET /apps/{id}/describe`).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::mode::AppMode;
use crate::domain::{
    error::{Error, Result},
    id::AppId,
    stored::Stored,
};

/// The blocks that were asked for; the others are not computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppDescription {
    /// What it is.
    pub info: Option<AppInfo>,
    /// What Dify's own clients build a page from.
    pub parameters: Option<Map<String, Value>>,
    /// What a run takes, as JSON Schema 2020-12.
    pub input_schema: Option<Map<String, Value>>,
}

/// What an app is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppInfo {
    /// Its id.
    pub id: AppId,
    /// Display name.
    pub name: String,
    /// Its mode as stored: also one that has no run.
    pub mode: Stored<AppMode>,
    /// Empty when there is none.
    pub description: String,
    /// Names of its tags, in order.
    pub tags: Vec<String>,
    /// The name of the account that made it; empty when that is not known.
    pub author: String,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Whether it may be called at all.
    pub service_api_enabled: bool,
    /// Whether it is an agent: agent-chat, or a chat app with agent mode enabled.
    pub is_agent: bool,
}

/// Which blocks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptionFields {
    /// `info`.
    pub info: bool,
    /// `parameters`.
    pub parameters: bool,
    /// `input_schema`.
    pub input_schema: bool,
}

impl DescriptionFields {
    /// Every block.
    pub const ALL: Self = Self { info: true, parameters: true, input_schema: true };

    /// Reads a comma list; without a member it is all of them. `invalid_param` for an unknown one.
    pub fn parse(list: Option<&str>) -> Result<Self> {
        let mut blocks = Self { info: false, parameters: false, input_schema: false };
        for member in list.unwrap_or_default().split(',').map(str::trim).filter(|member| !member.is_empty()) {
            match member {
                "info" => blocks.info = true,
                "parameters" => blocks.parameters = true,
                "input_schema" => blocks.input_schema = true,
                _ => {
                    let known = "must be a comma-separated list of info, parameters and input_schema";
                    return Err(Error::invalid_param("query", "fields", known));
                }
            }
        }
        Ok(if blocks.info || blocks.needs_definition() { blocks } else { Self::ALL })
    }

    /// Whether a block is read off what the app does.
    pub const fn needs_definition(self) -> bool {
        self.parameters || self.input_schema
    }
}
