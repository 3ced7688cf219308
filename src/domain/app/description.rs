//! Descriptions of apps (contract section 6, `GET /apps/{id}/describe`).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::mode::AppMode;
use crate::domain::{
    error::{Error, Result},
    id::AppId,
    stored::StoredValue,
};

/// The requested members of a description. The others are not computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppDescription {
    pub info: Option<AppInfo>,
    /// The settings that Dify's own clients build their page from.
    pub parameters: Option<Map<String, Value>>,
    /// JSON Schema 2020-12 of the inputs of a run.
    pub input_schema: Option<Map<String, Value>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppInfo {
    pub id: AppId,
    pub name: String,
    /// Dify stores modes that cannot be run, too.
    pub mode: StoredValue<AppMode>,
    pub description: String,
    /// Names of the app's tags, sorted.
    pub tags: Vec<String>,
    /// The name of the account that created the app; empty when unknown.
    pub author: String,
    pub updated_at: DateTime<Utc>,
    /// Whether the app may be called over an API.
    pub service_api_enabled: bool,
    /// Whether the app is an agent: agent-chat, or chat with agent mode enabled.
    pub is_agent: bool,
}

/// The members of a description that a caller requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptionFields {
    pub info: bool,
    pub parameters: bool,
    pub input_schema: bool,
}

impl DescriptionFields {
    pub const ALL: Self = Self { info: true, parameters: true, input_schema: true };

    /// Reads a comma-separated list; an empty list requests all members. Fails with `invalid_param` for an unknown
    /// member.
    pub fn parse(list: Option<&str>) -> Result<Self> {
        let mut fields = Self { info: false, parameters: false, input_schema: false };
        for member in list.unwrap_or_default().split(',').map(str::trim).filter(|member| !member.is_empty()) {
            match member {
                "info" => fields.info = true,
                "parameters" => fields.parameters = true,
                "input_schema" => fields.input_schema = true,
                _ => {
                    let known = "must be a comma-separated list of info, parameters and input_schema";
                    return Err(Error::invalid_param("query", "fields", known));
                }
            }
        }
        Ok(if fields.info || fields.needs_definition() { fields } else { Self::ALL })
    }

    /// Whether a requested member is computed from the app's definition.
    pub const fn needs_definition(self) -> bool {
        self.parameters || self.input_schema
    }
}
