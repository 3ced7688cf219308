//! Apps in the form of Dify's DSL files, and their import.

use serde_json::{Map, Value};

use super::mode::AppMode;
use crate::domain::{
    id::{AppId, WorkflowId},
    stored::StoredValue,
};

/// What the columns of names hold, in characters.
pub(crate) const MAX_NAME: usize = 255;
/// The types of icons, as Dify names them.
pub(crate) const ICON_TYPES: [&str; 3] = ["emoji", "image", "link"];

/// An app without its workspace.
#[derive(Clone, Debug, PartialEq)]
pub struct AppFile {
    pub name: String,
    pub mode: AppMode,
    pub description: String,
    /// An emoji, a file id or a URL, depending on `icon_type`.
    pub icon: Option<String>,
    /// `emoji`, `image` or `link`.
    pub icon_type: Option<String>,
    /// A colour such as `#FFEAD5`.
    pub icon_background: Option<String>,
    pub use_icon_as_answer_icon: bool,
    pub body: AppBody,
}

/// What an app does.
#[derive(Clone, Debug, PartialEq)]
pub enum AppBody {
    /// Chat, agent-chat and completion: the members of [`CONFIG_MEMBERS`] that are not null.
    Model(Map<String, Value>),
    /// Advanced-chat and workflow.
    Graph(GraphBody),
}

#[derive(Clone, Debug, PartialEq)]
pub struct GraphBody {
    /// `{"nodes": […], "edges": […]}`.
    pub graph: Value,
    /// Opening statement, file upload and the like.
    pub features: Value,
    /// `[{"name", "value_type", "value", …}]`, with the values of secrets.
    pub environment_variables: Vec<Value>,
    /// The same for the variables that a conversation keeps.
    pub conversation_variables: Vec<Value>,
}

impl AppFile {
    /// Empties the secret environment variables. Returns the names of those that were not empty.
    pub fn clear_secrets(&mut self) -> Vec<String> {
        let AppBody::Graph(body) = &mut self.body else { return Vec::new() };
        let secrets = body.environment_variables.iter_mut().filter(|variable| is_secret(variable));
        let emptied = secrets.filter_map(|variable| {
            let was = variable.get_mut("value").map(|value| std::mem::replace(value, "".into()))?;
            let name = variable["name"].as_str().unwrap_or_default().to_owned();
            (was != "" && !was.is_null()).then_some(name)
        });
        emptied.collect()
    }

    /// Removes the ids of the credentials that tools use, which mean nothing in another workspace.
    pub(crate) fn clear_credential_ids(&mut self) {
        let clear = |tool: &mut Value| {
            if let Some(tool) = tool.as_object_mut() {
                tool.remove("credential_id");
            }
        };
        match &mut self.body {
            AppBody::Model(config) => {
                let tools = config.get_mut("agent_mode").and_then(|mode| mode.get_mut("tools"));
                tools.and_then(Value::as_array_mut).into_iter().flatten().for_each(clear);
            }
            AppBody::Graph(body) => {
                let nodes = body.graph.get_mut("nodes").and_then(Value::as_array_mut).into_iter().flatten();
                for data in nodes.filter_map(|node| node.get_mut("data")) {
                    let of_agent = data.pointer_mut("/agent_parameters/tools/value").and_then(Value::as_array_mut);
                    of_agent.into_iter().flatten().for_each(clear);
                    clear(data);
                }
            }
        }
    }
}

/// Whether a variable, `{"name", "value_type", "value", …}`, is a secret.
pub(crate) fn is_secret(variable: &Value) -> bool {
    variable["value_type"] == "secret"
}

/// The type of a member of a model configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberType {
    Text,
    Object,
    List,
}

/// The members of a model configuration that are stored, in Dify's order. Each has a column of the same name.
pub(crate) const CONFIG_MEMBERS: [(&str, MemberType); 19] = [
    ("opening_statement", MemberType::Text),
    ("suggested_questions", MemberType::List),
    ("suggested_questions_after_answer", MemberType::Object),
    ("speech_to_text", MemberType::Object),
    ("text_to_speech", MemberType::Object),
    ("retriever_resource", MemberType::Object),
    ("more_like_this", MemberType::Object),
    ("sensitive_word_avoidance", MemberType::Object),
    ("external_data_tools", MemberType::List),
    ("model", MemberType::Object),
    ("user_input_form", MemberType::List),
    ("dataset_query_variable", MemberType::Text),
    ("pre_prompt", MemberType::Text),
    ("agent_mode", MemberType::Object),
    ("prompt_type", MemberType::Text),
    ("chat_prompt_config", MemberType::Object),
    ("completion_prompt_config", MemberType::Object),
    ("dataset_configs", MemberType::Object),
    ("file_upload", MemberType::Object),
];

/// An app as an operator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedApp {
    pub id: AppId,
    pub name: String,
    /// Dify stores modes that cannot be run, too.
    pub mode: StoredValue<AppMode>,
    /// Whether the app has a published definition.
    pub published: bool,
}

/// The version of an app that is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportedVersion {
    Published,
    /// The draft of a graph, which Dify's editor keeps; the published version where there is none.
    Draft,
    /// One version of the app's graph.
    Id(WorkflowId),
}

/// Where an imported app is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportTarget {
    /// Overwrites the app of the same name, or creates an app.
    Named,
    /// Creates an app.
    New,
    /// Overwrites this app.
    App(AppId),
}

/// The result of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedApp {
    pub id: AppId,
    /// Whether an existing app was overwritten.
    pub overwritten: bool,
}
