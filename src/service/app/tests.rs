//! Descriptions of apps with every type of input.

use insta::assert_json_snapshot;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::input_schema;
use crate::domain::{
    app::{
        AppMode, Definition, ModelConfig, Workflow,
        description::DescriptionFields,
        summary::{AppFilter, ModeFilter, NameFilter},
    },
    file::limits::UploadLimits,
    id::{ModelConfigId, WorkflowId},
};

/// The block with Dify's limits of uploads.
fn parameters(definition: Option<&Definition>) -> Map<String, Value> {
    super::parameters(definition, &UploadLimits::default())
}

/// A model configuration without settings.
pub(super) fn model_config() -> ModelConfig {
    ModelConfig {
        id: ModelConfigId(Uuid::nil()),
        model: Value::Null,
        user_input_form: Value::Null,
        pre_prompt: String::new(),
        prompt_type: "simple".to_owned(),
        chat_prompt_config: Value::Null,
        completion_prompt_config: Value::Null,
        opening_statement: String::new(),
        suggested_questions: Value::Null,
        suggested_questions_after_answer: Value::Null,
        more_like_this: Value::Null,
        speech_to_text: Value::Null,
        text_to_speech: Value::Null,
        retriever_resource: Value::Null,
        sensitive_word_avoidance: Value::Null,
        agent_mode: Value::Null,
        dataset_configs: Value::Null,
        external_data_tools: Value::Null,
        file_upload: Value::Null,
    }
}

fn workflow(graph: Value, features: Value) -> Definition {
    Definition::Workflow(Box::new(Workflow {
        id: WorkflowId(Uuid::nil()),
        version: "2026-04-01 08:00:00".to_owned(),
        graph,
        features,
        environment_variables: json!([]),
        conversation_variables: json!([]),
    }))
}

/// One variable of each type, in the format of the graph editor.
fn every_variable() -> Value {
    json!([
        {"variable": "line", "label": "A line", "type": "text-input", "required": true, "max_length": 48,
         "options": []},
        {"variable": "text", "label": "", "type": "paragraph", "required": false, "max_length": 0},
        {"variable": "choice", "label": "A choice", "type": "select", "required": true, "options": ["red", "green"]},
        {"variable": "number", "label": "A number", "type": "number", "required": false, "default": 3},
        {"variable": "flag", "label": "A flag", "type": "checkbox", "required": false},
        {"variable": "file", "label": "A file", "type": "file", "required": true, "allowed_file_types": ["document"],
         "allowed_file_extensions": [], "allowed_file_upload_methods": ["local_file"]},
        {"variable": "files", "label": "Files", "type": "file-list", "required": false, "max_length": 5},
        {"variable": "object", "label": "An object", "type": "json_object", "required": false},
        {"variable": "tool", "label": "A tool", "type": "external_data_tool", "required": true, "config": {}},
    ])
}

fn start(variables: &Value) -> Value {
    json!({"nodes": [{"id": "1", "data": {"type": "start", "variables": variables}}], "edges": []})
}

#[test]
fn every_type_of_input_has_a_schema() {
    let graph = workflow(start(&every_variable()), json!({}));
    assert_json_snapshot!("schema_of_every_type", input_schema(AppMode::Workflow, Some(&graph)));
    let rows: Vec<_> =
        every_variable().as_array().unwrap().iter().map(|row| json!({row["type"].as_str().unwrap(): row})).collect();
    let mut config = model_config();
    config.user_input_form = rows.into();
    let model = Definition::Model(Box::new(config));
    let (of_graph, of_model) =
        (input_schema(AppMode::Workflow, Some(&graph)), input_schema(AppMode::Completion, Some(&model)));
    assert_eq!(of_graph, of_model);
    assert_eq!(parameters(Some(&graph))["user_input_form"], parameters(Some(&model))["user_input_form"]);
}

#[test]
fn length_limit_is_read_from_floats_and_texts() {
    for (stored, expected) in
        [(json!(10), json!(10)), (json!(10.0), json!(10)), (json!("10"), json!(10)), (json!(0), json!(null))]
    {
        let variable = json!([{"variable": "line", "label": "A line", "type": "text-input", "max_length": stored}]);
        let schema = input_schema(AppMode::Workflow, Some(&workflow(start(&variable), json!({}))));
        assert_eq!(schema["properties"]["inputs"]["properties"]["line"]["maxLength"], expected, "{stored}");
    }
}

#[test]
fn schema_of_a_chat_requires_a_query() {
    let graph = workflow(start(&json!([])), json!({}));
    assert_json_snapshot!("schema_of_a_chat", input_schema(AppMode::AdvancedChat, Some(&graph)));
    for (mode, has_query) in [(AppMode::Chat, true), (AppMode::AgentChat, true), (AppMode::Completion, false)] {
        let schema = input_schema(mode, Some(&Definition::Model(Box::new(model_config()))));
        assert_eq!(schema["properties"].get("query").is_some(), has_query, "{mode:?}");
    }
}

#[test]
fn app_without_a_definition_has_empty_blocks() {
    assert_json_snapshot!("schema_of_nothing", input_schema(AppMode::Chat, None));
    assert_json_snapshot!("parameters_of_nothing", parameters(None));
}

#[test]
fn unset_features_have_difys_defaults() {
    assert_json_snapshot!("parameters_of_a_bare_model", parameters(Some(&Definition::Model(Box::new(model_config())))));
    for (graph, features) in
        [(json!(null), json!(null)), (json!({}), json!([])), (json!({"nodes": [1, {"data": 1}]}), json!({}))]
    {
        let graph = workflow(graph, features);
        insta::allow_duplicates! {
            assert_json_snapshot!("parameters_of_a_bare_graph", parameters(Some(&graph)));
        }
        assert_eq!(input_schema(AppMode::Workflow, Some(&graph))["properties"]["inputs"]["properties"], json!({}));
    }
}

#[test]
fn set_features_are_returned_unchanged() {
    let features = json!({
        "opening_statement": "Welcome!",
        "suggested_questions": ["What?"],
        "suggested_questions_after_answer": {"enabled": true},
        "speech_to_text": {"enabled": true},
        "text_to_speech": {"enabled": true, "voice": "x", "language": "en"},
        "retriever_resource": {"enabled": true},
        "annotation_reply": {"enabled": true},
        "more_like_this": {"enabled": true},
        "sensitive_word_avoidance": null,
        "file_upload": {"image": {"enabled": true, "number_limits": 2, "transfer_methods": ["remote_url"]}},
        "unheard_of": {"enabled": true},
    });
    let graph = workflow(start(&every_variable()), features.clone());
    assert_json_snapshot!("parameters_of_a_full_graph", parameters(Some(&graph)));
    let mut config = model_config();
    config.opening_statement = "Hello {{city}}".to_owned();
    config.suggested_questions = features["suggested_questions"].clone();
    config.retriever_resource = json!({"enabled": false});
    config.file_upload = features["file_upload"].clone();
    config.sensitive_word_avoidance = json!({"enabled": true, "type": "keywords"});
    assert_json_snapshot!("parameters_of_a_model", parameters(Some(&Definition::Model(Box::new(config)))));
}

#[test]
fn requested_blocks_are_a_comma_separated_list() {
    let none = DescriptionFields { info: false, parameters: false, input_schema: false };
    for (list, expected) in [
        (None, DescriptionFields::ALL),
        (Some(""), DescriptionFields::ALL),
        (Some(" , "), DescriptionFields::ALL),
        (Some("info"), DescriptionFields { info: true, ..none }),
        (Some("parameters, input_schema"), DescriptionFields { info: false, ..DescriptionFields::ALL }),
        (Some("info,info,parameters"), DescriptionFields { input_schema: false, ..DescriptionFields::ALL }),
    ] {
        assert_eq!(DescriptionFields::parse(list).unwrap(), expected, "{list:?}");
    }
    assert!(DescriptionFields::parse(Some("info,secrets")).is_err());
}

#[test]
fn filter_is_parsed_from_the_query() {
    let parse = |mode, name, tag| AppFilter::parse(mode, name, tag);
    assert_eq!(parse(None, Some(""), Some("")).unwrap(), AppFilter::default());
    let id = "0166ad56-f937-57d6-873f-1f700d7a7b49";
    let by_id = parse(Some("agent-chat"), Some(id), None).unwrap();
    assert_eq!(by_id.mode, Some(ModeFilter::Only(AppMode::AgentChat)));
    assert_eq!(by_id.name, Some(NameFilter::Id(id.parse().unwrap())));
    for mode in ["channel", "rag-pipeline", "agent"] {
        assert!(parse(Some(mode), None, None).unwrap().matches_nothing(), "{mode}");
    }
    for mode in ["", "Chat", "all", "chat,workflow"] {
        assert!(parse(Some(mode), None, None).is_err(), "{mode}");
    }
    let longest = "ä".repeat(200);
    assert!(parse(None, Some(&longest), None).is_ok());
    let too_long = format!("{longest}x");
    assert!(parse(None, Some(&too_long), None).is_err());
    assert!(parse(None, Some("a\0b"), None).unwrap().matches_nothing());
    assert!(parse(None, None, Some("\0")).unwrap().matches_nothing());
}
