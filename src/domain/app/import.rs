//! Imports of apps by members of a workspace, and what they result in.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    file::{AppBody, AppFile},
    mode::AppMode,
};
use crate::domain::id::{AppId, ImportId};

/// How an import has ended, or that it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportStatus {
    Completed,
    /// The app exists, and parts of it do not work here, or the file is of an older version.
    CompletedWithWarnings,
    /// The file is of a newer version, and the import waits for a confirmation.
    Pending,
    Failed,
}

impl ImportStatus {
    /// Dify's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::CompletedWithWarnings => "completed-with-warnings",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}

/// The state of an import.
#[derive(Clone, Debug)]
pub struct ImportState {
    pub id: ImportId,
    pub status: ImportStatus,
    pub app_id: Option<AppId>,
    pub app_mode: Option<AppMode>,
    /// The version of the file; empty when it cannot be read.
    pub file_version: String,
    /// Why the import failed, a sentence; otherwise empty.
    pub error: String,
}

impl ImportState {
    pub(crate) fn failed(id: ImportId, error: impl Into<String>) -> Self {
        let (file_version, error) = (String::new(), error.into());
        Self { id, status: ImportStatus::Failed, app_id: None, app_mode: None, file_version, error }
    }
}

/// Values that replace those of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppOverrides {
    pub name: Option<String>,
    pub description: Option<String>,
    pub icon_type: Option<String>,
    pub icon: Option<String>,
    pub icon_background: Option<String>,
}

impl AppOverrides {
    pub(crate) fn apply(self, file: &mut AppFile) {
        if let Some(name) = self.name {
            file.name = name;
        }
        if let Some(description) = self.description {
            file.description = description;
        }
        for (given, current) in [
            (self.icon_type, &mut file.icon_type),
            (self.icon, &mut file.icon),
            (self.icon_background, &mut file.icon_background),
        ] {
            if given.is_some() {
                *current = given;
            }
        }
    }
}

/// The plugins whose tools an app uses: unique identifiers, or `organization/plugin` where the app has none.
pub(crate) fn plugins_of(app: &AppFile) -> BTreeSet<String> {
    let mut tools: Vec<&Value> = Vec::new();
    match &app.body {
        AppBody::Model(config) => {
            tools.extend(config.get("agent_mode").and_then(|mode| mode["tools"].as_array()).into_iter().flatten());
        }
        AppBody::Graph(body) => {
            for data in body.graph["nodes"].as_array().into_iter().flatten().map(|node| &node["data"]) {
                let of_agent = data.pointer("/agent_parameters/tools/value").and_then(Value::as_array);
                tools.extend(of_agent.into_iter().flatten());
                tools.push(data);
            }
        }
    }
    tools.into_iter().filter_map(plugin_of).collect()
}

/// The plugin of one tool. Tools of other kinds, such as workflows and OpenAPI schemas, belong to no plugin.
fn plugin_of(tool: &Value) -> Option<String> {
    let text = |member: &str| tool[member].as_str().filter(|text| !text.is_empty());
    if text("tool_name").is_none() || text("provider_type").is_some_and(|kind| kind != "builtin") {
        return None;
    }
    if let Some(identifier) = text("plugin_unique_identifier") {
        return Some(identifier.to_owned());
    }
    // `organization/plugin/provider`; the tools that Dify itself has are one word.
    let provider = text("provider_id").or_else(|| text("provider_name"))?;
    let mut parts = provider.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(organization), Some(plugin), Some(_), None) => Some(format!("{organization}/{plugin}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::app::file::GraphBody;

    fn app(body: AppBody) -> AppFile {
        AppFile {
            name: "App".to_owned(),
            mode: AppMode::Workflow,
            description: String::new(),
            icon: None,
            icon_type: Some("emoji".to_owned()),
            icon_background: None,
            use_icon_as_answer_icon: false,
            body,
        }
    }

    #[test]
    fn plugins_of_tool_nodes_agents_and_agent_apps_are_found() {
        let nodes = json!({"nodes": [
            {"data": {"type": "tool", "tool_name": "search", "provider_type": "builtin", "provider_id": "acme/web/web",
                "plugin_unique_identifier": "acme/web:1.0.0@abc"}},
            {"data": {"type": "tool", "tool_name": "now", "provider_type": "builtin", "provider_id": "time"}},
            {"data": {"type": "tool", "tool_name": "call", "provider_type": "api", "provider_id": "a/b/c"}},
            {"data": {"type": "agent", "agent_parameters": {"tools": {"value": [
                {"tool_name": "mail", "provider_name": "acme/mail/mail"},
            ]}}}},
            {"data": {"type": "start"}},
        ]});
        let graph = GraphBody {
            graph: nodes,
            features: json!({}),
            environment_variables: Vec::new(),
            conversation_variables: Vec::new(),
        };
        let found: Vec<_> = plugins_of(&app(AppBody::Graph(graph))).into_iter().collect();
        assert_eq!(found, ["acme/mail", "acme/web:1.0.0@abc"]);
        let config = json!({"agent_mode": {"tools": [{"tool_name": "mail", "provider_id": "acme/mail/mail"}]}});
        let config = config.as_object().unwrap().clone();
        assert_eq!(plugins_of(&app(AppBody::Model(config))).into_iter().collect::<Vec<_>>(), ["acme/mail"]);
    }

    #[test]
    fn overrides_replace_what_they_have() {
        let mut file = app(AppBody::Model(serde_json::Map::new()));
        AppOverrides { name: Some("New".to_owned()), icon: Some("🤖".to_owned()), ..AppOverrides::default() }
            .apply(&mut file);
        assert_eq!((file.name.as_str(), file.icon.as_deref()), ("New", Some("🤖")));
        assert_eq!(file.icon_type.as_deref(), Some("emoji"));
    }
}
