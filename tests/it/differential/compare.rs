//! The differences between two observations.

use std::fmt;

use serde_json::{Map, Value};

use super::cases::Case;

/// Characters of a value that are printed.
const MOST_SHOWN: usize = 600;

#[derive(Debug)]
pub struct Difference {
    /// Such as `turns[0].nodes.te3.outputs.output`.
    pub path: String,
    /// The type of the node; empty for the run as a whole.
    pub node_type: String,
    here: Value,
    there: Value,
    /// The error of the oracle's node.
    pub error: String,
    /// Whether the oracle's text only has the names of references in addition, which it prints when they refer to
    /// nothing.
    pub is_missing_reference: bool,
    /// Whether the node refers to a node that did not run on the oracle.
    pub reads_nothing: bool,
}

impl Difference {
    /// What similar differences have in common.
    pub fn kind(&self) -> String {
        let place: Vec<&str> = self.path.split('.').skip(1).collect();
        let member = match place.as_slice() {
            ["nodes", _, rest @ ..] => rest.first().copied().unwrap_or_default(),
            [first, ..] => first,
            [] => &self.path,
        };
        format!("{} {member}", self.node_type)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Value| value.to_string().chars().take(MOST_SHOWN).collect::<String>();
        write!(
            f,
            "{} ({})\n    here  {}\n    there {}",
            self.path,
            self.node_type,
            shown(&self.here),
            shown(&self.there)
        )
    }
}

/// The differences in the order of nodes, then of the text, the run and the events. Later ones may follow from earlier
/// ones.
pub fn differences(case: &Case, here: &Value, there: &Value) -> Vec<Difference> {
    let mut comparison = Comparison {
        differences: Vec::new(),
        node_type: String::new(),
        error: String::new(),
        references: references(&case.dsl),
        case,
        node: String::new(),
        ran: Vec::new(),
    };
    if here.get("error").is_some() || there.get("error").is_some() {
        comparison.values("import", &here["error"], &there["error"]);
        return comparison.differences;
    }
    let turns = |side: &Value| side["turns"].as_array().cloned().unwrap_or_default();
    for (at, (here, there)) in turns(here).iter().zip(turns(there)).enumerate() {
        let errors: Vec<_> = there["nodes"].as_array().into_iter().flatten().filter_map(error_of).collect();
        let (here, there) = (comparable(here.clone()), comparable(there));
        // Which nodes of other branches ran before the one that failed depends on their speed.
        let is_cut_off = !case.ordered && has_failed(&here["nodes"]) && has_failed(&there["nodes"]);
        comparison.nodes(&format!("turns[{at}].nodes"), (&here["nodes"], &there["nodes"]), &errors, is_cut_off);
        comparison.node_type.clear();
        comparison.node.clear();
        comparison.error = errors.into_iter().map(|(_, error)| error).collect::<Vec<_>>().join(" ");
        if is_cut_off {
            comparison.values(&format!("turns[{at}].run.status"), &here["run"]["status"], &there["run"]["status"]);
            continue;
        }
        for member in ["text", "run"] {
            comparison.values(&format!("turns[{at}].{member}"), &here[member], &there[member]);
        }
        if case.ordered {
            comparison.values(&format!("turns[{at}].order"), &steps(&here), &steps(&there));
        }
    }
    comparison.differences
}

struct Comparison<'c> {
    differences: Vec<Difference>,
    node_type: String,
    /// The error of the oracle's node.
    error: String,
    /// The references in the texts of the app.
    references: Vec<String>,
    case: &'c Case,
    /// The id of the node.
    node: String,
    /// The ids of the nodes that ran on the oracle.
    ran: Vec<String>,
}

impl Comparison<'_> {
    /// Compares node by node, in the order of the oracle: the executions of one node one after the other.
    fn nodes(&mut self, path: &str, (here, there): (&Value, &Value), errors: &[(Value, String)], is_cut_off: bool) {
        self.ran =
            there.as_array().unwrap().iter().filter_map(|node| node["node"].as_str().map(str::to_owned)).collect();
        let executions = |side: &Value, node: &Value| -> Vec<Value> {
            side.as_array().unwrap().iter().filter(|execution| execution["node"] == *node).cloned().collect()
        };
        let mut seen: Vec<&Value> = Vec::new();
        for execution in there.as_array().unwrap().iter().chain(here.as_array().unwrap()) {
            let node = &execution["node"];
            if seen.contains(&node) {
                continue;
            }
            seen.push(node);
            execution["type"].as_str().unwrap_or_default().clone_into(&mut self.node_type);
            node.as_str().unwrap().clone_into(&mut self.node);
            let (mut here, mut there) = (executions(here, node), executions(there, node));
            if !self.case.ordered {
                // Rounds of other branches may come in between, which changes nothing for this node.
                here.sort_by_key(Value::to_string);
                there.sort_by_key(Value::to_string);
            }
            let errors = errors.iter().filter(|(of, _)| of == node).map(|(_, error)| error.as_str());
            self.error = errors.collect::<Vec<_>>().join(" ");
            let path = format!("{path}.{}", node.as_str().unwrap());
            for (here, there) in here.iter().zip(&there) {
                for member in ["status", "inputs", "process_data", "outputs", "error"] {
                    self.values(&format!("{path}.{member}"), &here[member], &there[member]);
                }
            }
            if !is_cut_off {
                self.values(&format!("{path}.executions"), &here.len().into(), &there.len().into());
            }
        }
    }

    fn is_missing_reference(&self, here: &Value, there: &Value) -> bool {
        let (Some(here), Some(there)) = (here.as_str(), there.as_str()) else { return false };
        let named = self.references.iter().filter(|reference| there.contains(reference.as_str()));
        let without = |text: &str| {
            let text = named.clone().fold(text.to_owned(), |text, reference| text.replace(reference.as_str(), ""));
            // Texts may be trimmed before a reference is filled in. Forms write a blank as `+`, a line break as `%0A`.
            let text = text.replace("%0A", "");
            text.chars().filter(|symbol| !symbol.is_whitespace() && *symbol != '+').collect::<String>()
        };
        without(here) == without(there)
    }

    fn values(&mut self, path: &str, here: &Value, there: &Value) {
        if equal(here, there) {
            return;
        }
        match (here, there) {
            (Value::Object(left), Value::Object(right)) => {
                for name in right.keys().chain(left.keys()) {
                    let member =
                        |side: &Map<String, Value>| side.get(name).cloned().unwrap_or_else(|| "(missing)".into());
                    self.values(&format!("{path}.{name}"), &member(left), &member(right));
                }
            }
            (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
                for (at, (here, there)) in left.iter().zip(right).enumerate() {
                    self.values(&format!("{path}[{at}]"), here, there);
                }
            }
            _ => {
                self.differences.push(Difference {
                    is_missing_reference: self.is_missing_reference(here, there),
                    reads_nothing: self.case.reads_other_than(&self.node, &self.ran),
                    path: path.to_owned(),
                    node_type: self.node_type.clone(),
                    here: here.clone(),
                    there: there.clone(),
                    error: self.error.clone(),
                });
            }
        }
    }
}

/// Whether two values are equal: members in any order, and numbers by value.
fn equal(here: &Value, there: &Value) -> bool {
    match (here, there) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let has = |(name, value): (&String, &Value)| right.get(name).is_some_and(|other| equal(value, other));
            left.len() == right.len() && left.iter().all(has)
        }
        _ => here == there,
    }
}

/// `id.name` of every `{{#id.name#}}`, longest first.
fn references(dsl: &str) -> Vec<String> {
    let starts = dsl.split("{{#").skip(1).filter_map(|rest| rest.split_once("#}}"));
    let mut references: Vec<String> = starts.map(|(reference, _)| reference.to_owned()).collect();
    references.sort_by_key(|reference| std::cmp::Reverse(reference.len()));
    references.dedup();
    references
}

fn has_failed(nodes: &Value) -> bool {
    nodes.as_array().is_some_and(|nodes| nodes.iter().any(|node| node["status"] == "failed"))
}

fn error_of(execution: &Value) -> Option<(Value, String)> {
    Some((execution["node"].clone(), execution["error"].as_str()?.to_owned()))
}

/// The events of nodes in their order. Where a text is cut into pieces is not compared: each engine streams it when it
/// may.
fn steps(observed: &Value) -> Value {
    observed["order"].as_array().into_iter().flatten().filter(|event| *event != "text").cloned().collect()
}

/// Replaces what cannot be equal: the words of errors, durations and prices, and the boundaries of forms.
fn comparable(mut observed: Value) -> Value {
    let mut errors: Vec<String> = Vec::new();
    let nodes = observed["nodes"].as_array().into_iter().flatten();
    errors.extend(nodes.chain([&observed["run"]]).filter_map(|item| item["error"].as_str()).map(str::to_owned));
    errors.retain(|error| !error.is_empty());
    let encoded = |error: &String| form_urlencoded::byte_serialize(error.as_bytes()).collect::<String>();
    let encoded: Vec<String> = errors.iter().map(encoded).collect();
    errors.extend(encoded);
    errors.sort_by_key(|error| std::cmp::Reverse(error.len()));
    rewrite(&mut observed, &errors);
    observed
}

fn rewrite(value: &mut Value, errors: &[String]) {
    match value {
        Value::String(text) => {
            for error in errors {
                if text.contains(error.as_str()) {
                    *text = text.replace(error.as_str(), "[error]");
                }
            }
            without_boundary(text);
            without_secrets(text);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, errors)),
        Value::Object(members) => {
            if members.contains_key("prompt_tokens") && members.contains_key("completion_tokens") {
                members
                    .retain(|name, _| matches!(name.as_str(), "prompt_tokens" | "completion_tokens" | "total_tokens"));
            }
            // The length of an answer depends on the words of errors that it repeats.
            if let Some(length @ Value::String(_)) = members.get_mut("content-length") {
                *length = "[length]".into();
            }
            members.values_mut().for_each(|member| rewrite(member, errors));
        }
        _ => {}
    }
}

/// Replaces the asterisks of a request's secret, whose number is that of its characters on graphon, and the length of
/// the body, which depends on references to nothing.
fn without_secrets(text: &mut String) {
    if !text.contains(" HTTP/1.1\r\n") {
        return;
    }
    let lines = text.split("\r\n").map(|line| match line.split_once(": ") {
        Some((name, value)) if !value.is_empty() && value.chars().all(|symbol| symbol == '*') => {
            format!("{name}: [secret]")
        }
        Some(("Content-Length", _)) => "Content-Length: [length]".to_owned(),
        _ => line.to_owned(),
    });
    *text = lines.collect::<Vec<_>>().join("\r\n");
}

/// Replaces the random boundary of a form, and the length that depends on it.
fn without_boundary(text: &mut String) {
    let Some(boundary) = text.split("boundary=").nth(1).map(|rest| {
        rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next().unwrap_or_default().to_owned()
    }) else {
        return;
    };
    if !boundary.is_empty() {
        *text = text.replace(&boundary, "[boundary]");
    }
    let lines = text.split("\r\n").map(|line| {
        if line.to_ascii_lowercase().starts_with("content-length:") { "Content-Length: [length]" } else { line }
    });
    *text = lines.collect::<Vec<_>>().join("\r\n");
}
