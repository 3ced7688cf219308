//! The node's data.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::{
    input::{ToolInput, configurations, parameters},
    types::ParameterTypes,
};
use crate::{domain::connection::provider_key::ProviderKey, runtime::builtin::json::or_default};

/// The kinds of providers whose tools the plugin daemon serves.
const SERVED: [&str; 2] = ["builtin", "plugin"];

#[derive(Debug, Deserialize)]
pub(crate) struct ToolNodeData {
    pub(super) provider_id: Provider,
    pub(super) tool_name: ToolName,
    /// Set in the editor, for each use of the tool.
    #[serde(default, deserialize_with = "configurations")]
    pub(super) tool_configurations: Vec<(String, ToolInput)>,
    #[serde(default, deserialize_with = "parameters")]
    pub(super) tool_parameters: Vec<(String, ToolInput)>,
    #[serde(rename = "paramSchemas", default)]
    pub(super) types: ParameterTypes,
    /// The id of a connection; empty for the default one.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) credential_id: String,
}

impl ToolNodeData {
    pub(crate) fn tool(&self) -> &str {
        &self.tool_name.0
    }
}

/// The `provider_type` of a node whose tool the plugin daemon does not serve.
pub(crate) fn is_served(data: &Value) -> bool {
    let kind = data.get("provider_type").and_then(Value::as_str);
    kind.is_none_or(|kind| kind.is_empty() || SERVED.contains(&kind))
}

#[derive(Debug)]
pub(super) struct Provider(pub(super) ProviderKey);

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key = text.trim().parse().map_err(|_| {
            D::Error::custom(format!("is `{text}`, which is not organization/plugin/provider; choose the tool again"))
        })?;
        Ok(Self(key))
    }
}

#[derive(Debug)]
pub(super) struct ToolName(pub(super) String);

impl<'de> Deserialize<'de> for ToolName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.trim().is_empty() {
            return Err(D::Error::custom("is empty; choose the tool again"));
        }
        Ok(Self(name))
    }
}
