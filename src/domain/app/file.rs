//! An app as a file of Dify's DSL holds it: everything about it that is not its place in a workspace.

use serde_json::{Map, Value};

use super::mode::AppMode;
use crate::domain::{id::AppId, stored::Stored};

/// An app on its way into a workspace or out of one.
#[derive(Clone, Debug, PartialEq)]
pub struct AppFile {
    /// Display name.
    pub name: String,
    /// What kind it is.
    pub mode: AppMode,
    /// What it says of itself.
    pub description: String,
    /// An emoji, or what `icon_type` says.
    pub icon: Option<String>,
    /// `emoji`, `image` or `link`.
    pub icon_type: Option<String>,
    /// A colour such as `#FFEAD5`.
    pub icon_background: Option<String>,
    /// Whether its answers carry its icon.
    pub use_icon_as_answer_icon: bool,
    /// What it does.
    pub body: AppBody,
}

/// What an app does, as its file says it.
#[derive(Clone, Debug, PartialEq)]
pub enum AppBody {
    /// Chat, agent-chat and completion: the members of [`CONFIG_MEMBERS`] that are not null.
    Model(Map<String, Value>),
    /// Advanced-chat and workflow.
    Graph(GraphBody),
}

/// What an app with a graph does.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphBody {
    /// `{"nodes": […], "edges": […]}`.
    pub graph: Value,
    /// Opening statement, file upload and the like.
    pub features: Value,
    /// `[{"name", "value_type", "value", …}]`. Secrets among them are kept as they are.
    pub environment_variables: Vec<Value>,
    /// The same, of the variables a conversation keeps.
    pub conversation_variables: Vec<Value>,
}

impl AppFile {
    /// Empties the secrets among its environment variables, and gives the names of those that were not empty.
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
}

/// Whether a variable, `{"name", "value_type", "value", …}`, is a secret.
pub fn is_secret(variable: &Value) -> bool {
    variable["value_type"] == "secret"
}

/// What a member of a model configuration holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberType {
    /// Text.
    Text,
    /// An object.
    Object,
    /// A list.
    List,
}

/// The members of a model configuration that are kept, in Dify's order. Each has a column of its name.
pub const CONFIG_MEMBERS: [(&str, MemberType); 19] = [
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

/// An app of a workspace, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedApp {
    /// Its id.
    pub id: AppId,
    /// Its name.
    pub name: String,
    /// Its mode, as stored: not all of Dify's are run here.
    pub mode: Stored<AppMode>,
    /// Whether anything of it is published.
    pub published: bool,
}

/// Where an imported app goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportTarget {
    /// Over the app of this name, where there is one; a new app otherwise.
    Named,
    /// A new app.
    New,
    /// Over this app.
    App(AppId),
}

/// What became of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedApp {
    /// The app.
    pub id: AppId,
    /// Whether it was there before.
    pub overwritten: bool,
}
