//! `end`: gives the run its outputs.

use serde::Deserialize;
use serde_json::Value;

use super::{Finished, Members};
use crate::runtime::builtin::{
    graph::or_default,
    variables::{Selector, View},
};

/// Its data.
#[derive(Debug, Deserialize)]
pub struct Data {
    /// What the run puts out.
    #[serde(default, deserialize_with = "or_default")]
    pub outputs: Vec<Output>,
}

/// A name and where its value is.
#[derive(Debug, Deserialize)]
pub struct Output {
    /// The name.
    pub variable: String,
    /// The value.
    #[serde(default, deserialize_with = "or_default")]
    pub value_selector: Selector,
}

/// The outputs; null where there is nothing.
pub fn run(data: &Data, view: View<'_>) -> Finished {
    let value = |output: &Output| view.get(&output.value_selector).cloned().unwrap_or(Value::Null);
    let outputs: Members = data.outputs.iter().map(|output| (output.variable.clone(), value(output))).collect();
    Finished { inputs: outputs.clone(), outputs, ..Finished::default() }
}
