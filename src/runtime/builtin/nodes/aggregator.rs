//! `variable-aggregator`: takes the first of several variables that there is, so that branches can meet again.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finished, Members};
use crate::runtime::builtin::{
    graph::or_default,
    variables::{Selector, View},
};

/// Its data.
#[derive(Debug, Deserialize)]
pub struct Data {
    #[serde(default, deserialize_with = "or_default")]
    variables: Vec<Selector>,
    #[serde(default, deserialize_with = "or_default")]
    advanced_settings: AdvancedSettings,
}

#[derive(Debug, Default, Deserialize)]
struct AdvancedSettings {
    #[serde(default, deserialize_with = "or_default")]
    group_enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    group_name: String,
    #[serde(default, deserialize_with = "or_default")]
    variables: Vec<Selector>,
}

/// The values found; nothing where nothing is.
pub fn run(data: &Data, view: View<'_>) -> Finished {
    let mut finished = Finished::default();
    let first = |variables: &[Selector], inputs: &mut Members| -> Option<Value> {
        let (selector, value) = variables.iter().find_map(|selector| Some((selector, view.get(selector)?)))?;
        inputs.insert(selector.parts()[1..].join("."), value.clone());
        Some(value.clone())
    };
    if data.advanced_settings.group_enabled {
        for group in &data.advanced_settings.groups {
            if let Some(value) = first(&group.variables, &mut finished.inputs) {
                finished.outputs.insert(group.group_name.clone(), json!({"output": value}));
            }
        }
    } else if let Some(value) = first(&data.variables, &mut finished.inputs) {
        finished.outputs.insert("output".to_owned(), value);
    }
    finished
}
