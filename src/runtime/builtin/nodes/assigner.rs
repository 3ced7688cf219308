//! `assigner`: writes variables of the conversation. All of its items, or none.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};

use super::{Failure, Finished, Members, NodeResult};
use crate::runtime::builtin::{
    graph::or_default,
    variables::{Pool, ScopeId, Selector, View, selector::CONVERSATION, value},
};

/// Its data: a list of items, or the one assignment of files from before there were lists.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Data {
    /// Version 2.
    Items {
        /// What is done, in order.
        items: Vec<Item>,
    },
    /// Version 1.
    One {
        /// The variable that is written.
        assigned_variable_selector: Selector,
        /// How.
        write_mode: Operation,
        /// The value.
        #[serde(default, deserialize_with = "or_default")]
        input_variable_selector: Selector,
    },
}

/// One assignment.
#[derive(Debug, Serialize, Deserialize)]
pub struct Item {
    variable_selector: Selector,
    #[serde(default)]
    input_type: Input,
    operation: Operation,
    #[serde(default)]
    value: Value,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Input {
    #[default]
    Variable,
    Constant,
}

/// What is done with a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is called what it is called in the file")]
pub enum Operation {
    OverWrite,
    Set,
    Clear,
    Append,
    Extend,
    RemoveFirst,
    RemoveLast,
    #[serde(rename = "+=")]
    Add,
    #[serde(rename = "-=")]
    Subtract,
    #[serde(rename = "*=")]
    Multiply,
    #[serde(rename = "/=")]
    Divide,
}

impl Data {
    /// The variables of the conversation that it writes.
    pub fn targets(&self) -> Vec<&Selector> {
        match self {
            Self::Items { items } => items.iter().map(|item| &item.variable_selector).collect(),
            Self::One { assigned_variable_selector, .. } => vec![assigned_variable_selector],
        }
    }
}

/// New values, not written yet.
struct Changes<'a> {
    view: View<'a>,
    new: Members,
    /// The most one variable may take, in bytes.
    limit: usize,
}

/// Reckons everything, then writes it.
pub fn run(data: &Data, pool: &mut Pool, scope: ScopeId) -> NodeResult {
    let mut changes = Changes { view: pool.view(scope), new: Members::new(), limit: pool.variable_limit() };
    let mut inputs = Members::new();
    let outcome = match data {
        Data::Items { items } => {
            inputs.insert("items".to_owned(), json!(items));
            items.iter().try_for_each(|item| changes.item(item))
        }
        Data::One { assigned_variable_selector, write_mode, input_variable_selector } => changes
            .one(assigned_variable_selector, *write_mode, input_variable_selector)
            .map(|value| drop(inputs.insert("value".to_owned(), value))),
    };
    let new = changes.new;
    if let Err(message) = outcome {
        return Err(Failure::new("VariableOperatorNodeError", message).on(inputs));
    }
    let mut updated = Vec::with_capacity(new.len());
    for (name, value) in new {
        let (selector, kind) = ([CONVERSATION, &name], kind(&value));
        updated.push(json!({"name": name, "selector": selector, "value_type": kind, "new_value": value}));
        if let Err(fault) = pool.assign(&name, value) {
            return Err(Box::<Failure>::from(fault).on(inputs));
        }
    }
    let mut process_data = Members::new();
    process_data.insert("updated_variables".to_owned(), updated.into());
    Ok(Finished { inputs, process_data, ..Finished::default() })
}

impl Changes<'_> {
    fn item(&mut self, item: &Item) -> Result<(), String> {
        let (name, old) = self.target(&item.variable_selector)?;
        let needs_value = !matches!(item.operation, Operation::Clear | Operation::RemoveFirst | Operation::RemoveLast);
        let value = if needs_value && item.input_type == Input::Variable && item.value.is_array() {
            let selector = Selector::deserialize(&item.value).map_err(|_| invalid(&item.value))?;
            match self.read(&selector).ok_or_else(|| format!("variable {selector} not found"))? {
                // What is there but null leaves the variable as it is.
                Value::Null => return Ok(()),
                value => value,
            }
        } else {
            item.value.clone()
        };
        self.keep(name, apply(item.operation, old, value)?)
    }

    fn one(&mut self, target: &Selector, operation: Operation, input: &Selector) -> Result<Value, String> {
        let (name, old) = self.target(target)?;
        if operation == Operation::Clear {
            let empty = empty(&old);
            self.new.insert(name, empty.clone());
            return Ok(empty);
        }
        let value = self.read(input).ok_or("input value not found")?;
        self.keep(name, apply(operation, old, value.clone())?)?;
        Ok(value)
    }

    /// Weighed each time, not only when it is written: a list that is extended by itself grows twofold with every item.
    fn keep(&mut self, name: String, value: Value) -> Result<(), String> {
        if value::weight(&value) > self.limit {
            return Err(format!("the variable {name} would be larger than {} bytes", self.limit));
        }
        self.new.insert(name, value);
        Ok(())
    }

    /// The variable to write, and its value as it is by now.
    fn target(&self, selector: &Selector) -> Result<(String, Value), String> {
        let missing = || format!("variable {selector} not found");
        match selector.parts() {
            [node, name] if node == CONVERSATION => Ok((name.clone(), self.read(selector).ok_or_else(missing)?)),
            _ => Err(missing()),
        }
    }

    fn read(&self, selector: &Selector) -> Option<Value> {
        match selector.parts() {
            [node, name] if node == CONVERSATION && self.new.contains_key(name) => self.new.get(name).cloned(),
            _ => self.view.get(selector).cloned(),
        }
    }
}

/// The new value. A variable keeps the type it has; null takes anything.
fn apply(operation: Operation, old: Value, value: Value) -> Result<Value, String> {
    let unsupported = |old: &Value| Err(format!("operation {} is not supported for a {}", json!(operation), kind(old)));
    match (operation, old) {
        (Operation::Clear, old) => Ok(empty(&old)),
        (Operation::OverWrite | Operation::Set, Value::Null) => Ok(value),
        (Operation::Set, Value::Object(_)) if value.is_string() => {
            let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok()).filter(Value::is_object);
            parsed.ok_or_else(|| invalid(&value))
        }
        (Operation::OverWrite | Operation::Set, old) => {
            if kind(&old) == kind(&value) {
                Ok(value)
            } else {
                Err(invalid(&value))
            }
        }
        (Operation::Append, Value::Array(mut items)) => {
            items.push(value);
            Ok(items.into())
        }
        (Operation::Extend, Value::Array(mut items)) => match value {
            Value::Array(more) => {
                items.extend(more);
                Ok(items.into())
            }
            other => Err(invalid(&other)),
        },
        (Operation::RemoveFirst, Value::Array(mut items)) => {
            if !items.is_empty() {
                items.remove(0);
            }
            Ok(items.into())
        }
        (Operation::RemoveLast, Value::Array(mut items)) => {
            items.pop();
            Ok(items.into())
        }
        (Operation::Add | Operation::Subtract | Operation::Multiply | Operation::Divide, Value::Number(old)) => {
            match &value {
                Value::Number(by) => reckon(operation, &old, by).map(Value::Number).ok_or_else(|| invalid(&value)),
                _ => Err(invalid(&value)),
            }
        }
        (_, old) => unsupported(&old),
    }
}

/// Whole numbers stay whole where they can, as in Python; division never does.
fn reckon(operation: Operation, old: &Number, by: &Number) -> Option<Number> {
    if let (Some(old), Some(by)) = (old.as_i64(), by.as_i64()) {
        let whole = match operation {
            Operation::Add => old.checked_add(by),
            Operation::Subtract => old.checked_sub(by),
            Operation::Multiply => old.checked_mul(by),
            _ => None,
        };
        if let Some(whole) = whole {
            return Some(whole.into());
        }
    }
    let (old, by) = (old.as_f64()?, by.as_f64()?);
    Number::from_f64(match operation {
        Operation::Add => old + by,
        Operation::Subtract => old - by,
        Operation::Multiply => old * by,
        // By zero is infinite, and that is no number of JSON.
        _ => old / by,
    })
}

fn empty(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => false.into(),
        Value::Number(_) => 0.into(),
        Value::String(_) => "".into(),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Object(_) => Value::Object(Members::new()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "none",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array[any]",
        Value::Object(_) => "object",
    }
}

fn invalid(value: &Value) -> String {
    // The value itself may be large, or nobody's business.
    format!("a {} is not what can be assigned here", kind(value))
}

#[cfg(test)]
mod tests;
