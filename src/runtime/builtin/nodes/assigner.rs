//! `assigner`: writes conversation variables. It writes all of its items or, when one fails, none.

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

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum AssignerNodeData {
    /// Version 2: assignments in their order.
    Items {
        items: Vec<Assignment>,
        /// The other members of the node's data, which its event reports.
        #[serde(flatten)]
        data: JsonObject,
    },
    /// Version 1: one assignment.
    One {
        assigned_variable_selector: Selector,
        write_mode: Operation,
        #[serde(default, deserialize_with = "or_default")]
        input_variable_selector: Selector,
    },
}

impl AssignerNodeData {
    /// The names of the conversation variables that the node writes.
    pub(crate) fn written(&self) -> impl Iterator<Item = &str> {
        let (items, one) = match self {
            Self::Items { items, .. } => (items.as_slice(), None),
            Self::One { assigned_variable_selector, .. } => (&[][..], Some(assigned_variable_selector)),
        };
        let selectors = items.iter().map(|item| &item.variable_selector).chain(one);
        selectors.filter_map(|selector| selector.split().map(|(_, name, _)| name))
    }
}

/// An assignment to one variable.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    variable_selector: Selector,
    #[serde(default)]
    input_type: InputType,
    operation: Operation,
    #[serde(default)]
    value: Value,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InputType {
    #[default]
    Variable,
    Constant,
}

/// How a variable is written.
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
    /// The name in DSL files.
    fn as_str(self) -> &'static str {
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

/// The new values, before they are written.
struct Changes<'a> {
    view: VariableView<'a>,
    new_values: JsonObject,
    /// Largest size of one variable, in bytes.
    limit: usize,
}

/// Computes every new value, then writes them.
pub(crate) fn run(data: &AssignerNodeData, pool: &mut VariablePool, scope: ScopeId) -> NodeResult {
    let mut changes = Changes { view: pool.view(scope), new_values: JsonObject::new(), limit: pool.variable_limit() };
    let mut inputs = JsonObject::new();
    let outcome = match data {
        AssignerNodeData::Items { items, data } => {
            inputs = node_data(items, data);
            items.iter().try_for_each(|item| changes.assign(item))
        }
        AssignerNodeData::One { assigned_variable_selector, write_mode, input_variable_selector } => changes
            .assign_one(assigned_variable_selector, *write_mode, input_variable_selector)
            .map(|value| drop(inputs.insert("value".to_owned(), value))),
    };
    let Changes { view, new_values, .. } = changes;
    let types: Vec<ValueType> = new_values
        .iter()
        .map(|(name, value)| match view.declared_type(name) {
            ValueType::Any => ValueType::of(value),
            declared => declared,
        })
        .collect();
    if let Err(message) = outcome {
        return Err(NodeError::new("VariableOperatorNodeError", message).with_inputs(inputs));
    }
    let mut process_data = JsonObject::new();
    if matches!(data, AssignerNodeData::Items { .. }) {
        process_data.clone_from(&new_values);
    }
    let mut updated = Vec::with_capacity(new_values.len());
    for ((name, value), value_type) in new_values.into_iter().zip(types) {
        let selector = [CONVERSATION, &name];
        let value_type = value_type.to_string();
        updated.push(json!({"name": name, "selector": selector, "value_type": value_type, "new_value": value}));
        if let Err(error) = pool.assign(&name, value) {
            return Err(Box::<NodeError>::from(error).with_inputs(inputs));
        }
    }
    process_data.insert("__updated_variables".to_owned(), updated.into());
    Ok(NodeOutcome { inputs, process_data, ..NodeOutcome::default() })
}

/// The data of the node, with the members that Dify adds when they are missing.
fn node_data(items: &[Assignment], data: &JsonObject) -> JsonObject {
    let defaults = json!({
        "type": "assigner",
        "title": "",
        "desc": null,
        "version": "2",
        "error_strategy": null,
        "default_value": null,
        "retry_config": {"max_retries": 0, "retry_interval": 0, "retry_enabled": false},
    });
    let mut inputs = defaults.as_object().cloned().unwrap_or_default();
    inputs.extend(data.clone());
    inputs.insert("items".to_owned(), json!(items));
    inputs
}

impl Changes<'_> {
    fn assign(&mut self, item: &Assignment) -> Result<(), String> {
        let (name, old) = self.target(&item.variable_selector)?;
        let needs_value = !matches!(item.operation, Operation::Clear | Operation::RemoveFirst | Operation::RemoveLast);
        let value = if needs_value && item.input_type == InputType::Variable && item.value.is_array() {
            let selector = Selector::deserialize(&item.value).map_err(|_| "the variable to read has no name")?;
            match self.read(&selector).ok_or_else(|| format!("variable {selector} not found"))? {
                // As in Dify, null leaves the variable unchanged.
                Value::Null => return Ok(()),
                value => value,
            }
        } else {
            item.value.clone()
        };
        let declared = self.view.declared_type(&name);
        self.store(name, apply(item.operation, declared, old, value)?)
    }

    fn assign_one(&mut self, target: &Selector, operation: Operation, input: &Selector) -> Result<Value, String> {
        let (name, old) = self.target(target)?;
        let declared = self.view.declared_type(&name);
        if operation == Operation::Clear {
            let empty = apply(operation, declared, old, Value::Null)?;
            self.new_values.insert(name, empty.clone());
            return Ok(empty);
        }
        let value = self.read(input).ok_or("input value not found")?;
        self.store(name, apply(operation, declared, old, value.clone())?)?;
        Ok(value)
    }

    /// Checks the size after every item: a list that is extended by itself doubles with each one.
    fn store(&mut self, name: String, value: Value) -> Result<(), String> {
        if value::weight(&value) > self.limit {
            return Err(format!("the variable {name} would be larger than {} bytes", self.limit));
        }
        self.new_values.insert(name, value);
        Ok(())
    }

    /// The name of the variable to write, and its current value.
    fn target(&self, selector: &Selector) -> Result<(String, Value), String> {
        let missing = || format!("variable {selector} not found");
        match selector.parts() {
            [node, name] if node == CONVERSATION => Ok((name.clone(), self.read(selector).ok_or_else(missing)?)),
            _ => Err(missing()),
        }
    }

    fn read(&self, selector: &Selector) -> Option<Value> {
        match selector.parts() {
            [node, name] if node == CONVERSATION && self.new_values.contains_key(name) => {
                self.new_values.get(name).cloned()
            }
            _ => self.view.get(selector).cloned(),
        }
    }
}

/// The new value of a variable. It keeps the declared type, else the current one; undeclared null takes any type.
fn apply(operation: Operation, declared: ValueType, old: Value, value: Value) -> Result<Value, String> {
    let value_type = if declared == ValueType::Any { ValueType::of(&old) } else { declared };
    if !supports(value_type, operation) {
        return Err(format!("Operation {} is not supported for type {value_type}", operation.as_str()));
    }
    match operation {
        Operation::Clear => Ok(value_type.empty()),
        Operation::OverWrite | Operation::Set => {
            let value = match &value {
                // The editor writes objects as text.
                Value::String(text) if operation == Operation::Set && value_type == ValueType::Object => {
                    serde_json::from_str(text).map_err(|_| invalid_input(value_type, &value))?
                }
                _ => value,
            };
            if value_type.accepts(&value) { Ok(value) } else { Err(invalid_input(value_type, &value)) }
        }
        Operation::Append | Operation::Extend | Operation::RemoveFirst | Operation::RemoveLast => {
            let mut items = match old {
                Value::Array(items) => items,
                Value::Null => Vec::new(),
                other => return Err(invalid_input(value_type, &other)),
            };
            match (operation, value) {
                (Operation::Append, value) if value_type.item_type().is_some_and(|item| item.accepts(&value)) => {
                    items.push(value);
                }
                (Operation::Extend, value) if value_type.accepts(&value) => {
                    if let Value::Array(more) = value {
                        items.extend(more);
                    }
                }
                (Operation::Append | Operation::Extend, value) => return Err(invalid_input(value_type, &value)),
                (Operation::RemoveFirst, _) => drop(items.drain(..items.len().min(1))),
                _ => drop(items.pop()),
            }
            Ok(items.into())
        }
        Operation::Add | Operation::Subtract | Operation::Multiply | Operation::Divide => {
            let old = if old.is_null() { value_type.empty() } else { old };
            match (&old, &value) {
                (Value::Number(old), Value::Number(operand)) => calculate(operation, old, operand)
                    .map(Value::Number)
                    .ok_or_else(|| format!("Operation {} does not give a number", operation.as_str())),
                (Value::Number(_), _) => Err(invalid_input(value_type, &value)),
                (old, _) => Err(invalid_input(value_type, old)),
            }
        }
    }
}

/// Whether variables of this type support the operation.
fn supports(value_type: ValueType, operation: Operation) -> bool {
    match operation {
        Operation::OverWrite | Operation::Clear => true,
        Operation::Set => value_type.item_type().is_none(),
        Operation::Append | Operation::Extend | Operation::RemoveFirst | Operation::RemoveLast => {
            value_type.item_type().is_some()
        }
        Operation::Add | Operation::Subtract | Operation::Multiply | Operation::Divide => {
            matches!(value_type, ValueType::Number | ValueType::Integer | ValueType::Float)
        }
    }
}

/// As in Python, integers stay integers, except in a division. A result beyond 64 bits becomes a float.
fn calculate(operation: Operation, old: &Number, operand: &Number) -> Option<Number> {
    if let (Some(old), Some(operand)) = (old.as_i64(), operand.as_i64()) {
        let integer = match operation {
            Operation::Add => old.checked_add(operand),
            Operation::Subtract => old.checked_sub(operand),
            Operation::Multiply => old.checked_mul(operand),
            _ => None,
        };
        if let Some(integer) = integer {
            return Some(integer.into());
        }
    }
    let (old, operand) = (old.as_f64()?, operand.as_f64()?);
    Number::from_f64(match operation {
        Operation::Add => old + operand,
        Operation::Subtract => old - operand,
        Operation::Multiply => old * operand,
        // A division by zero gives infinity, for which JSON has no number.
        _ => old / operand,
    })
}

/// The message has the type of the value only: the value may be large or confidential.
fn invalid_input(expected: ValueType, value: &Value) -> String {
    format!("Invalid input value for type {expected}: {}", type_of(value))
}

/// The type of a value, for a list with the type that all of its items have.
fn type_of(value: &Value) -> ValueType {
    const LISTS: [ValueType; 4] =
        [ValueType::ArrayString, ValueType::ArrayNumber, ValueType::ArrayBoolean, ValueType::ArrayObject];
    let list = LISTS.into_iter().find(|list| list.accepts(value));
    list.filter(|_| value.as_array().is_some_and(|items| !items.is_empty())).unwrap_or_else(|| ValueType::of(value))
}

#[cfg(test)]
mod tests;
