use serde_json::json;
use uuid::Uuid;

use super::*;

fn received(messages: impl IntoIterator<Item = Value>, limit: usize) -> Result<Value, ToolError> {
    let mut outputs = ToolOutputs::new(WorkspaceId(Uuid::nil()), limit);
    for message in messages {
        let Value::Object(message) = message else { panic!("{message} is not an object") };
        outputs.receive(message)?;
    }
    Ok(Value::Object(outputs.into_outputs()))
}

fn message(kind: &str, content: Value) -> Value {
    let mut message = json!({"type": kind, "meta": null});
    message["message"] = content;
    message
}

fn error_of(message: Value) -> String {
    received([message], 1_000).unwrap_err().to_string()
}

#[test]
fn tool_without_messages_gives_empty_outputs() {
    assert_eq!(received([], 10).unwrap(), json!({"text": "", "files": [], "json": [{"data": []}]}));
}

#[test]
fn texts_and_links_are_joined() {
    let messages = [
        message("text", json!({"text": "It is "})),
        message("text", json!({"text": "sunny.\n"})),
        message("link", json!({"text": "https://a.example/"})),
    ];
    assert_eq!(received(messages, 100).unwrap()["text"], "It is sunny.\nLink: https://a.example/\n");
}

#[test]
fn json_values_are_listed_and_empty_ones_are_left_out() {
    let values = [json!({"a": 1}), json!({}), json!([]), json!([1, 2])];
    let messages = values.map(|value| message("json", json!({"json_object": value})));
    assert_eq!(received(messages, 1_000).unwrap()["json"], json!([{"a": 1}, [1, 2]]));
}

#[test]
fn variables_are_set_and_streamed_ones_are_joined() {
    let set = |name: &str, value: Value, stream: bool| {
        message("variable", json!({"variable_name": name, "variable_value": value, "stream": stream}))
    };
    let messages = [
        set("count", json!(1), false),
        set("words", json!("a "), true),
        set("count", json!({"n": 2}), false),
        set("words", json!("b"), true),
    ];
    let outputs = received(messages, 1_000).unwrap();
    assert_eq!((&outputs["count"], &outputs["words"]), (&json!({"n": 2}), &json!("a b")));
    assert_eq!(outputs.as_object().unwrap().keys().collect::<Vec<_>>(), ["text", "files", "json", "count", "words"]);
}

#[test]
fn files_with_an_address_are_listed_in_the_format_of_dify() {
    let mut document = message("binary_link", json!({"text": "https://a.example/d/1"}));
    document["meta"] = json!({"mime_type": "application/pdf", "filename": "plan.pdf"});
    let messages = [
        message("image_link", json!({"text": "https://a.example/b/cat.png?x=1"})),
        message("image", json!({"text": "http://a.example/raw"})),
        document,
    ];
    let files = received(messages, 10_000).unwrap()["files"].clone();
    let members =
        |at: usize| ["type", "transfer_method", "filename", "extension", "mime_type"].map(|name| &files[at][name]);
    assert_eq!(members(0).map(Value::as_str), [Some("image"), Some("remote_url"), Some("cat.png"), Some(".png"), None]);
    assert_eq!(
        (&files[0]["url"], &files[0]["remote_url"]),
        (&json!("https://a.example/b/cat.png?x=1"), &json!("https://a.example/b/cat.png?x=1"))
    );
    assert_eq!(files[1]["type"], "image");
    assert_eq!(
        members(2).map(Value::as_str),
        [Some("document"), Some("remote_url"), Some("plan.pdf"), Some(".pdf"), Some("application/pdf")]
    );
    assert!(value::is_file(&files[2]));
}

#[test]
fn logs_citations_and_unknown_messages_are_ignored() {
    let messages = [
        message("log", json!({"id": "1", "label": "step", "status": "start", "data": {}})),
        message("retriever_resources", json!({"retriever_resources": [], "context": ""})),
        message("hologram", json!({})),
        json!({"message": {"text": "without a type"}}),
    ];
    assert_eq!(received(messages, 1_000).unwrap()["text"], "without a type");
}

#[test]
fn contents_of_files_are_refused() {
    for message in [
        message("blob", json!({"blob": "AAAA"})),
        message("blob_chunk", json!({"id": "1", "sequence": 0, "total_length": 4, "blob": "AAAA", "end": true})),
        message("file", json!({"file_marker": "file_marker"})),
    ] {
        assert_eq!(error_of(message), "the tool returns the contents of a file, which is not supported here");
    }
}

#[test]
fn faulty_messages_are_named() {
    let variable = |content: Value| message("variable", content);
    for (message, fault) in [
        (message("text", json!({})), "a message has no text"),
        (message("text", json!({"text": 5})), "a message has no text"),
        (message("text", json!("text")), "a message has no text"),
        (message("json", json!({"json_object": "x"})), "the value of a json message is neither an object nor a list"),
        (message("json", json!({})), "the value of a json message is neither an object nor a list"),
        (variable(json!({"variable_value": 1})), "a variable has no name"),
        (
            variable(json!({"variable_name": "json", "variable_value": 1})),
            "a variable has the name of another output: text, files or json",
        ),
        (
            variable(json!({"variable_name": "x", "variable_value": 1, "stream": true})),
            "the value of a streamed variable is not text",
        ),
        (message("image", json!({"text": "/files/tools/1.png"})), "the address of a file is not an http URL"),
        (message("image_link", json!({"text": "file:///etc/passwd"})), "the address of a file is not an http URL"),
        (
            message("binary_link", json!({"text": format!("https://a/{}", "x".repeat(MAX_URL))})),
            "the address of a file is not an http URL",
        ),
    ] {
        assert_eq!(error_of(message), format!("the answer of the tool cannot be used: {fault}"));
    }
}

#[test]
fn outputs_over_the_limit_are_refused() {
    let text = || message("text", json!({"text": "x".repeat(40)}));
    assert!(received([text(), text()], 80).is_ok());
    assert_eq!(
        received([text(), text(), text()], 80).unwrap_err().to_string(),
        "the answer of the tool is larger than 80 bytes"
    );
    let value = || message("json", json!({"json_object": ["x".repeat(40)]}));
    assert!(received(vec![value(); 10], 80).is_err());
    let part = || message("variable", json!({"variable_name": "v", "variable_value": "x".repeat(40), "stream": true}));
    assert!(received([part(), part(), part()], 80).is_err());
    // A value that is replaced again and again.
    let set = || message("variable", json!({"variable_name": "v", "variable_value": "x".repeat(40)}));
    assert!(received(vec![set(); 10], 80).is_err());
}
