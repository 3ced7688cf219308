//! The form of an app: the variables of a run's inputs. Rows are single-key maps such as
//! `{"text-input": {"variable", …}}`. A stored row of another form is skipped and is no error.

use serde_json::{Map, Value};

use super::definition::{Definition, ModelConfig, Workflow};

#[derive(Clone, Debug, PartialEq)]
pub struct FormVariable<'a> {
    /// The name in `inputs`.
    pub name: &'a str,
    pub kind: VariableKind,
    /// The stored row, without its type.
    pub row: &'a Map<String, Value>,
}

/// The type of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableKind {
    /// One line of text.
    TextInput,
    /// Text.
    Paragraph,
    /// One of several texts.
    Select,
    /// A number.
    Number,
    /// Yes or no.
    Checkbox,
    /// A file.
    File,
    /// Files.
    FileList,
    /// A JSON object.
    JsonObject,
}

impl VariableKind {
    pub const ALL: [Self; 8] = [
        Self::TextInput,
        Self::Paragraph,
        Self::Select,
        Self::Number,
        Self::Checkbox,
        Self::File,
        Self::FileList,
        Self::JsonObject,
    ];

    /// The key of a form row.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TextInput => "text-input",
            Self::Paragraph => "paragraph",
            Self::Select => "select",
            Self::Number => "number",
            Self::Checkbox => "checkbox",
            Self::File => "file",
            Self::FileList => "file-list",
            Self::JsonObject => "json_object",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl<'a> FormVariable<'a> {
    /// The label, or the name without one.
    pub fn label(&self) -> &'a str {
        self.row.get("label").and_then(Value::as_str).filter(|label| !label.is_empty()).unwrap_or(self.name)
    }

    pub fn is_required(&self) -> bool {
        self.row.get("required").is_some_and(is_truthy)
    }

    /// Limit of characters, or of files. 0 and anything but a number mean no limit.
    pub fn max_length(&self) -> Option<u64> {
        let stored = self.row.get("max_length")?;
        // Forms that were written by hand have it as text, and editors as a float such as `10.0`.
        let float = stored.as_f64().or_else(|| stored.as_str()?.trim().parse().ok())?;
        // `Display` of a whole float has no fraction and no exponent.
        let length = stored.as_u64().or_else(|| float.to_string().parse().ok())?;
        (length > 0).then_some(length)
    }

    /// The choices of a select.
    pub fn options(&self) -> Vec<&'a str> {
        let options = self.row.get("options").and_then(Value::as_array);
        options.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The value when a run omits the variable.
    pub fn default(&self) -> Option<&'a Value> {
        self.row.get("default").filter(|default| !default.is_null())
    }
}

impl Definition {
    /// The form's rows in the form that clients receive.
    pub fn form_rows(&self) -> Vec<Value> {
        match self {
            Self::Model(config) => config.user_input_form.as_array().cloned().unwrap_or_default(),
            Self::Workflow(workflow) => {
                let row = |variable: &Value| {
                    let kind = variable.get("type")?.as_str()?;
                    Some(Value::Object(Map::from_iter([(kind.to_owned(), variable.clone())])))
                };
                workflow.start_variables().iter().filter_map(row).collect()
            }
        }
    }

    /// The variables of a run's inputs, without those that an external tool fills and those of unknown types.
    pub fn variables(&self) -> Vec<FormVariable<'_>> {
        match self {
            Self::Model(config) => config.variables(),
            Self::Workflow(workflow) => workflow
                .start_variables()
                .iter()
                .filter_map(|stored| variable(stored.get("type")?.as_str()?, stored))
                .collect(),
        }
    }
}

impl ModelConfig {
    fn variables(&self) -> Vec<FormVariable<'_>> {
        let rows = self.user_input_form.as_array().into_iter().flatten();
        let single = rows.filter_map(|row| row.as_object().filter(|row| row.len() == 1)).flatten();
        single.filter_map(|(kind, stored)| variable(kind, stored)).collect()
    }
}

impl Workflow {
    /// The stored variables of the start node.
    fn start_variables(&self) -> &[Value] {
        let nodes = self.graph.get("nodes").and_then(Value::as_array);
        let start = |data: &&Value| data.get("type").and_then(Value::as_str) == Some("start");
        let start = nodes.into_iter().flatten().filter_map(|node| node.get("data")).find(start);
        start.and_then(|data| data.get("variables")?.as_array()).map_or(&[], Vec::as_slice)
    }
}

fn variable<'a>(kind: &str, stored: &'a Value) -> Option<FormVariable<'a>> {
    let row = stored.as_object()?;
    let name = row.get("variable")?.as_str().filter(|name| !name.is_empty())?;
    Some(FormVariable { name, kind: VariableKind::parse(kind)?, row })
}

/// Whether a value is true in Python, which is how Dify reads flags.
pub(crate) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}
