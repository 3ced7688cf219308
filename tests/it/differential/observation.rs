//! From the events of a run to what is compared, in the form of `tests/differential/observation.py`.

use serde_json::{Map, Value, json};

use super::oracle::{SYSTEM, TIMESTAMP};

/// The ids of one run, to be replaced with those of the oracle.
pub struct Ids(Vec<(String, String)>);

impl Ids {
    pub fn of(events: &[Value], app: &str, user: &str) -> Self {
        let started = events.iter().find(|event| event["event"] == "workflow_started");
        let run = started.map_or(&Value::Null, |event| &event["data"]);
        let values = [
            json!(user),
            json!(app),
            run["workflow_id"].clone(),
            run["id"].clone(),
            events.first().map_or(Value::Null, |event| event["conversation_id"].clone()),
        ];
        let named = values
            .iter()
            .zip(SYSTEM)
            .filter_map(|(value, (_, name))| Some((value.as_str()?.to_owned(), name.to_owned())));
        let timestamp = run["inputs"]["sys.timestamp"].as_i64().map(|time| (time.to_string(), TIMESTAMP.to_string()));
        Self(named.chain(timestamp).collect())
    }
}

/// `{"order", "nodes", "text", "run"}`.
pub fn observation(events: &[Value], ids: &Ids) -> Value {
    let (mut order, mut nodes, mut text, mut run) = (Vec::new(), Vec::new(), String::new(), Value::Null);
    for event in events {
        let (name, data) = (event["event"].as_str().unwrap(), &event["data"]);
        match name {
            "message" | "agent_message" => add_text(&mut text, &mut order, &event["answer"]),
            "text_chunk" => add_text(&mut text, &mut order, &data["text"]),
            "message_replace" => event["answer"].as_str().unwrap().clone_into(&mut text),
            "text_replace" => data["text"].as_str().unwrap().clone_into(&mut text),
            "workflow_finished" => {
                run = json!({"status": data["status"], "outputs": data["outputs"], "error": data["error"],
                    "exceptions": data["exceptions_count"]});
            }
            "workflow_started" | "message_end" | "agent_thought" => {}
            _ => {
                order.push(format!("{name} {}", data["node_id"].as_str().unwrap_or_default()));
                if matches!(name, "node_finished" | "node_retry" | "iteration_completed") {
                    nodes.push(node(data));
                }
            }
        }
    }
    let text = replaced(&text, ids);
    let seen = json!({"order": order, "nodes": nodes, "text": text, "run": run});
    normal(seen, ids)
}

fn add_text(text: &mut String, order: &mut Vec<String>, piece: &Value) {
    let piece = piece.as_str().unwrap();
    if !piece.is_empty() {
        text.push_str(piece);
        if order.last().is_none_or(|last| last != "text") {
            order.push("text".to_owned());
        }
    }
}

fn node(data: &Value) -> Value {
    json!({"node": data["node_id"], "type": data["node_type"], "status": data["status"], "inputs": data["inputs"],
        "process_data": data.get("process_data").cloned().unwrap_or_else(|| json!({})),
        "outputs": data["outputs"], "error": data["error"]})
}

fn normal(value: Value, ids: &Ids) -> Value {
    match value {
        Value::String(text) => replaced(&text, ids).into(),
        Value::Number(number) if ids.0.iter().any(|(_, id)| *id == TIMESTAMP.to_string()) => {
            let text = number.to_string();
            let is_time = ids.0.iter().any(|(from, to)| *from == text && *to == TIMESTAMP.to_string());
            if is_time { TIMESTAMP.into() } else { Value::Number(number) }
        }
        Value::Array(items) => items.into_iter().map(|item| normal(item, ids)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (name, normal(member, ids))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

fn replaced(text: &str, ids: &Ids) -> String {
    ids.0.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from.as_str(), to))
}
