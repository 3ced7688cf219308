//! The variables that a graph's run starts with: system, environment and conversation variables.

use serde_json::{Map, Value, json};

use super::{
    json::JsonObject,
    run_input::PreparedRun,
    secret_masks::SecretMasks,
    variables::value_type::{DeclaredTypes, ValueType},
};
use crate::domain::app::{AppMode, Workflow, file::is_secret};

/// The variables of one run.
pub(super) struct GraphVariables {
    pub system: JsonObject,
    pub environment: JsonObject,
    /// The secrets among the environment variables.
    pub masks: SecretMasks,
    pub conversation: JsonObject,
    pub conversation_types: DeclaredTypes,
    /// The conversation variables before the run; empty in a new conversation.
    pub conversation_before: JsonObject,
}

impl GraphVariables {
    /// `now` is the start of the run, in Unix seconds.
    pub(super) fn new(prepared: &PreparedRun, workflow: &Workflow, now: i64) -> Self {
        let mut conversation = values(&workflow.conversation_variables);
        let mut types = declared_types(&workflow.conversation_variables);
        for (name, value) in prepared.conversation.iter().flat_map(|conversation| &conversation.variables) {
            // A stored value is dropped when the published version has no such variable, or one of another type.
            let fits = value.is_null() || types.get(name).is_none_or(|declared| declared.accepts(value));
            if let Some(current) = conversation.get_mut(name).filter(|_| fits) {
                current.clone_from(value);
            }
        }
        for (name, declared) in &mut types {
            *declared = declared.at_start(conversation.get(name).unwrap_or(&Value::Null));
        }
        let conversation_before =
            if prepared.conversation.is_some() { conversation.clone() } else { JsonObject::new() };
        Self {
            system: system_variables(prepared, workflow, now),
            environment: values(&workflow.environment_variables),
            masks: secret_masks(&workflow.environment_variables),
            conversation,
            conversation_types: types,
            conversation_before,
        }
    }
}

/// The variables that differ from their value before the run.
pub(super) fn changed_variables(mut variables: JsonObject, before: &JsonObject) -> JsonObject {
    variables.retain(|name, value| before.get(name) != Some(value));
    variables
}

/// `sys.*`, with the values that Dify gives them.
fn system_variables(prepared: &PreparedRun, workflow: &Workflow, now: i64) -> JsonObject {
    let mut system = JsonObject::new();
    if prepared.input.mode == AppMode::AdvancedChat {
        let dialogues = prepared.conversation.as_ref().map_or(0, |conversation| conversation.dialogue_count);
        system.insert("query".to_owned(), json!(prepared.input.query.as_deref().unwrap_or_default()));
        system.insert("conversation_id".to_owned(), json!(prepared.ids.conversation.to_string()));
        system.insert("dialogue_count".to_owned(), json!(dialogues.saturating_add(1)));
    }
    system.insert("files".to_owned(), json!(prepared.input.files));
    system.insert("user_id".to_owned(), json!(prepared.end_user.user));
    system.insert("app_id".to_owned(), json!(prepared.end_user.app_id.to_string()));
    system.insert("workflow_id".to_owned(), json!(workflow.id.to_string()));
    system.insert("workflow_run_id".to_owned(), json!(prepared.ids.workflow_run.to_string()));
    system.insert("timestamp".to_owned(), json!(now));
    system
}

/// Values by name. Dify stores variables as an object of `{"name", "value_type", "value"}`; DSL files have a list of
/// them.
fn values(variables: &Value) -> JsonObject {
    let value =
        |row: &Value| Some((row.get("name")?.as_str()?.to_owned(), row.get("value").cloned().unwrap_or_default()));
    rows(variables).filter_map(value).collect()
}

fn declared_types(variables: &Value) -> DeclaredTypes {
    let declared = |row: &Value| {
        let declared = ValueType::from_name(row.get("value_type")?.as_str()?)?;
        Some((row.get("name")?.as_str()?.to_owned(), declared))
    };
    rows(variables).filter_map(declared).collect()
}

fn secret_masks(variables: &Value) -> SecretMasks {
    SecretMasks::new(rows(variables).filter(|row| is_secret(row)).filter_map(|row| row["value"].as_str()))
}

fn rows(variables: &Value) -> impl Iterator<Item = &Value> {
    let (listed, named) = (variables.as_array(), variables.as_object());
    listed.into_iter().flatten().chain(named.into_iter().flat_map(Map::values))
}
