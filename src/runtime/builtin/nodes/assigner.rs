//! `assigner`: writes variables of the conversation. All of its items, or none.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};

use super::outcome::{NodeError, NodeOutcome, NodeResult};
use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    variables::{
        pool::{ScopeId, VariablePool, VariableView},
        selector::{CONVERSATION, Selector},
        value,
        value_type::ValueType,
    },
};

/// Its data: a list of items, or the one assignment of files from before there were lists.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum AssignerNodeData {
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
pub(crate) struct Item {
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
pub(crate) enum Operation {
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

impl Operation {
    /// What it is called in the file.
    fn name(self) -> &'static str {
        match self {
            Self::OverWrite => "over-write",
            Self::Set => "set",
            Self::Clear => "clear",
            Self::Append => "append",
            Self::Extend => "extend",
            Self::RemoveFirst => "remove-first",
            Self::RemoveLast => "remove-last",
            Self::Add => "+=",
            Self::Subtract => "-=",
            Self::Multiply => "*=",
            Self::Divide => "/=",
        }
    }
}

/// New values, not written yet.
struct Changes<'a> {
    view: VariableView<'a>,
    new: JsonObject,
    /// The most one variable may take, in bytes.
    limit: usize,
}

/// Reckons everything, then writes it.
pub(crate) fn run(data: &AssignerNodeData, pool: &mut VariablePool, scope: ScopeId) -> NodeResult {
    let mut changes = Changes { view: pool.view(scope), new: JsonObject::new(), limit: pool.variable_limit() };
    let mut inputs = JsonObject::new();
    let outcome = match data {
        AssignerNodeData::Items { items } => {
            inputs.insert("items".to_owned(), json!(items));
            items.iter().try_for_each(|item| changes.item(item))
        }
        AssignerNodeData::One { assigned_variable_selector, write_mode, input_variable_selector } => changes
            .one(assigned_variable_selector, *write_mode, input_variable_selector)
            .map(|value| drop(inputs.insert("value".to_owned(), value))),
    };
    let Changes { view, new, .. } = changes;
    let types: Vec<ValueType> = new
        .iter()
        .map(|(name, value)| match view.declared_type(name) {
            ValueType::Any => ValueType::of(value),
            declared => declared,
        })
        .collect();
    if let Err(message) = outcome {
        return Err(NodeError::new("VariableOperatorNodeError", message).with_inputs(inputs));
    }
    let mut updated = Vec::with_capacity(new.len());
    for ((name, value), kind) in new.into_iter().zip(types) {
        let selector = [CONVERSATION, &name];
        updated.push(json!({"name": name, "selector": selector, "value_type": kind.to_string(), "new_value": value}));
        if let Err(fault) = pool.assign(&name, value) {
            return Err(Box::<NodeError>::from(fault).with_inputs(inputs));
        }
    }
    let mut process_data = JsonObject::new();
    process_data.insert("updated_variables".to_owned(), updated.into());
    Ok(NodeOutcome { inputs, process_data, ..NodeOutcome::default() })
}

impl Changes<'_> {
    fn item(&mut self, item: &Item) -> Result<(), String> {
        let (name, old) = self.target(&item.variable_selector)?;
        let needs_value = !matches!(item.operation, Operation::Clear | Operation::RemoveFirst | Operation::RemoveLast);
        let value = if needs_value && item.input_type == Input::Variable && item.value.is_array() {
            let selector = Selector::deserialize(&item.value).map_err(|_| "the variable to read has no name")?;
            match self.read(&selector).ok_or_else(|| format!("variable {selector} not found"))? {
                // What is there but null leaves the variable as it is.
                Value::Null => return Ok(()),
                value => value,
            }
        } else {
            item.value.clone()
        };
        let declared = self.view.declared_type(&name);
        self.keep(name, apply(item.operation, declared, old, value)?)
    }

    fn one(&mut self, target: &Selector, operation: Operation, input: &Selector) -> Result<Value, String> {
        let (name, old) = self.target(target)?;
        let declared = self.view.declared_type(&name);
        if operation == Operation::Clear {
            let empty = apply(operation, declared, old, Value::Null)?;
            self.new.insert(name, empty.clone());
            return Ok(empty);
        }
        let value = self.read(input).ok_or("input value not found")?;
        self.keep(name, apply(operation, declared, old, value.clone())?)?;
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

/// The new value. A variable keeps the type it is declared with, or the type it has; null of no type takes anything.
fn apply(operation: Operation, declared: ValueType, old: Value, value: Value) -> Result<Value, String> {
    let kind = if declared == ValueType::Any { ValueType::of(&old) } else { declared };
    if !supports(kind, operation) {
        return Err(format!("Operation {} is not supported for type {kind}", operation.name()));
    }
    match operation {
        Operation::Clear => Ok(kind.empty()),
        Operation::OverWrite | Operation::Set => {
            let value = match &value {
                // Objects are typed into the editor as text.
                Value::String(text) if operation == Operation::Set && kind == ValueType::Object => {
                    serde_json::from_str(text).map_err(|_| invalid(kind, &value))?
                }
                _ => value,
            };
            if kind.accepts(&value) { Ok(value) } else { Err(invalid(kind, &value)) }
        }
        Operation::Append | Operation::Extend | Operation::RemoveFirst | Operation::RemoveLast => {
            let mut items = match old {
                Value::Array(items) => items,
                Value::Null => Vec::new(),
                other => return Err(invalid(kind, &other)),
            };
            match (operation, value) {
                (Operation::Append, value) if kind.item_type().is_some_and(|item| item.accepts(&value)) => {
                    items.push(value);
                }
                (Operation::Extend, value) if kind.accepts(&value) => {
                    if let Value::Array(more) = value {
                        items.extend(more);
                    }
                }
                (Operation::Append | Operation::Extend, value) => return Err(invalid(kind, &value)),
                (Operation::RemoveFirst, _) => drop(items.drain(..items.len().min(1))),
                _ => drop(items.pop()),
            }
            Ok(items.into())
        }
        Operation::Add | Operation::Subtract | Operation::Multiply | Operation::Divide => {
            let old = if old.is_null() { kind.empty() } else { old };
            match (&old, &value) {
                (Value::Number(old), Value::Number(by)) => reckon(operation, old, by)
                    .map(Value::Number)
                    .ok_or_else(|| format!("Operation {} does not give a number", operation.name())),
                (Value::Number(_), _) => Err(invalid(kind, &value)),
                (old, _) => Err(invalid(kind, old)),
            }
        }
    }
}

/// What can be done with variables of a type.
fn supports(kind: ValueType, operation: Operation) -> bool {
    match operation {
        Operation::OverWrite | Operation::Clear => true,
        Operation::Set => kind.item_type().is_none(),
        Operation::Append | Operation::Extend | Operation::RemoveFirst | Operation::RemoveLast => {
            kind.item_type().is_some()
        }
        Operation::Add | Operation::Subtract | Operation::Multiply | Operation::Divide => kind == ValueType::Number,
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
        // Dividing by zero gives infinity, which JSON has no number for.
        _ => old / by,
    })
}

/// The value itself may be large, or nobody's business.
fn invalid(kind: ValueType, value: &Value) -> String {
    format!("Invalid input value for type {kind}: {}", described(value))
}

/// A value's type; of a list with what is in it, where that is all of one type.
fn described(value: &Value) -> ValueType {
    const LISTS: [ValueType; 4] =
        [ValueType::ArrayString, ValueType::ArrayNumber, ValueType::ArrayBoolean, ValueType::ArrayObject];
    let list = LISTS.into_iter().find(|list| list.accepts(value));
    list.filter(|_| value.as_array().is_some_and(|items| !items.is_empty())).unwrap_or_else(|| ValueType::of(value))
}

#[cfg(test)]
mod tests;
