//! What an app without a graph does.

use serde_json::{Map, Value};

use super::{
    error::DslError,
    findings::{EVERY_RUN, Findings},
};
use crate::{
    domain::app::{
        AppMode,
        file::{AppBody, CONFIG_MEMBERS, MemberType},
        form::VariableKind,
    },
    runtime::builtin::prompt_app::check::{CheckedConfig, unsupported_features},
};

/// The kinds of fields that a form may have: JSON is for graphs alone, and a tool's field is no variable of a run.
fn kinds() -> impl Iterator<Item = &'static str> {
    let in_forms = VariableKind::ALL.into_iter().filter(|kind| *kind != VariableKind::JsonObject);
    in_forms.map(VariableKind::as_str).chain(["external_data_tool"])
}

/// Reads `model_config`.
pub(super) fn read(document: &Value, mode: AppMode, findings: &mut Findings) -> Result<AppBody, DslError> {
    let Value::Object(config) = &document["model_config"] else {
        let mode = mode.as_str();
        return Err(DslError::at("model_config", format_args!("must be a mapping in an app of mode {mode}")));
    };
    let mut kept = Map::new();
    for (name, shape) in CONFIG_MEMBERS {
        let Some(value) = config.get(name).filter(|value| !value.is_null()) else { continue };
        let (fits, wanted) = match shape {
            MemberType::Text => (value.is_string(), "text"),
            MemberType::Object => (value.is_object(), "a mapping"),
            MemberType::List => (value.is_array(), "a list"),
        };
        if !fits {
            return Err(DslError::at(format!("model_config.{name}"), format_args!("must be {wanted}")));
        }
        kept.insert(name.to_owned(), value.clone());
    }
    let model = kept.get("model");
    for member in ["provider", "name"] {
        let given = model.and_then(|model| model[member].as_str()).is_some_and(|text| !text.is_empty());
        if !given {
            return Err(DslError::at(format!("model_config.model.{member}"), "is missing; name the model to use"));
        }
    }
    if let Some(other) =
        kept.get("prompt_type").filter(|kind| !["simple", "advanced"].iter().any(|known| *kind == known))
    {
        return Err(DslError::at("model_config.prompt_type", format_args!("is {other}; write simple or advanced")));
    }
    for (at, row) in kept.get("user_input_form").and_then(Value::as_array).into_iter().flatten().enumerate() {
        field(&format!("model_config.user_input_form[{at}]"), row)?;
    }
    let member = |name: &str| kept.get(name).unwrap_or(&Value::Null);
    let checked = CheckedConfig {
        agent_mode: member("agent_mode"),
        dataset_configs: member("dataset_configs"),
        external_data_tools: member("external_data_tools"),
        user_input_form: member("user_input_form"),
        sensitive_word_avoidance: member("sensitive_word_avoidance"),
    };
    findings.unsupported.extend(unsupported_features(mode, &checked).into_iter().map(|found| {
        let reason = format_args!("{} is not supported here; {EVERY_RUN}", found.feature);
        DslError::at(format!("model_config.{}", found.place), reason)
    }));
    Ok(AppBody::Model(kept))
}

/// A single-key mapping such as `{"text-input": {"variable", …}}`.
fn field(place: &str, row: &Value) -> Result<(), DslError> {
    let single = row.as_object().filter(|row| row.len() == 1).and_then(|row| row.iter().next());
    let Some((kind, field)) = single else {
        return Err(DslError::at(place, "must be a mapping with a single kind of field"));
    };
    if !kinds().any(|known| known == kind) {
        let known = kinds().collect::<Vec<_>>().join(", ");
        return Err(DslError::at(place, format_args!("`{kind}` is not a kind of field; the kinds are {known}")));
    }
    if field["variable"].as_str().is_none_or(str::is_empty) {
        return Err(DslError::at(format!("{place}.{kind}.variable"), "the field has no variable"));
    }
    Ok(())
}
