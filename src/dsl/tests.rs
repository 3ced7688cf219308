use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::app::{
    AppMode,
    file::{AppBody, GraphBody},
};

/// A small graph app, to be spoilt.
const SOUND: &str = r"version: 0.6.0
kind: app
app:
  name: A
  mode: workflow
workflow:
  environment_variables:
  - {name: key, value_type: secret, value: s3cret}
  graph:
    nodes:
    - id: start
      data: {type: start, title: Start, variables: []}
    - id: mid
      data: {type: template-transform, title: Mid, template: hi, variables: []}
    - id: end
      data: {type: end, title: End, outputs: []}
    edges:
    - {source: start, target: mid}
    - {source: mid, target: end}
";

const CHAT: &str =
    "version: '0.3.1'\nkind: app\napp: {name: B, mode: chat}\nmodel_config:\n  model: {provider: echo, name: echo}\n";

fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn demo_apps_are_valid_and_cover_every_mode() {
    let mut modes = Vec::new();
    for file in demo::FILES {
        let found = read(file).unwrap();
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        modes.push(found.app.mode);
    }
    assert!(AppMode::ALL.iter().all(|mode| modes.contains(mode)), "{modes:?}");
}

#[test]
fn written_app_is_read_and_written_unchanged() {
    for file in demo::FILES.into_iter().chain([SOUND, CHAT]) {
        let app = read(file).unwrap().app;
        let text = write(&app).unwrap();
        let again = read(&text).unwrap().app;
        assert_eq!(again, app);
        assert_eq!(write(&again).unwrap(), text);
    }
}

#[test]
fn error_contains_its_place_and_line() {
    for (from, to, expected) in [
        ("version: 0.6.0", "version: 0.7.0", r#"version (line 1): is "0.7.0"; versions 0.1 to 0.6 are supported"#),
        ("version: 0.6.0", "version: 1.0", "version (line 1): is 1.0; versions 0.1 to 0.6 are supported"),
        ("version: 0.6.0", "version: [1]", "version (line 1): is not a version; write one like 0.6.0"),
        ("kind: app", "kind: snippet", r#"kind (line 2): is "snippet", but only `app` can be imported"#),
        (
            "mode: workflow",
            "mode: rag-pipeline",
            r#"app.mode (line 5): is "rag-pipeline"; the modes are chat, agent-chat, advanced-chat, completion, workflow"#,
        ),
        ("name: A", "name: ' '", "app.name (line 4): the app has no name"),
        ("name: A", "name: \"\\e[2J\"", "app.name (line 4): contains a control character"),
        ("name: A", "name: 7", "app.name (line 4): must be text"),
        (
            "- {source: start, target: mid}",
            "- {source: start, target: gone}",
            "workflow.graph.edges[0].target (line 18): there is no node `gone`",
        ),
        (
            "- {source: mid, target: end}",
            "- {source: mid, target: end}\n    - {source: end, target: mid}",
            "workflow.graph.nodes[2] (line 15): \"End\" is part of a cycle",
        ),
        (
            "- {source: mid, target: end}",
            "- {source: mid, target: mid}",
            "workflow.graph.nodes[1] (line 13): \"Mid\" is part of a cycle",
        ),
        ("id: mid", "id: start", "workflow.graph.nodes[1].id (line 13): `start` is already the id of nodes[0]"),
        ("id: mid", "id: 17", "workflow.graph.nodes[1].id (line 13): must be text; put numbers in quotation marks"),
        ("type: template-transform, ", "", "workflow.graph.nodes[1].data.type (line 14): the node has no type"),
        (
            "data: {type: end, title: End, outputs: []}",
            "data: 3",
            "workflow.graph.nodes[2].data (line 16): must be a mapping",
        ),
        ("name: key, ", "", "workflow.environment_variables[0].name (line 8): the variable has no name"),
        ("value_type: secret, ", "", "workflow.environment_variables[0].value_type (line 8): the variable has no type"),
        ("title: Mid", "title: \"M\\0\"", "workflow.graph.nodes[1].data.title (line 14): contains a NUL character"),
        (
            "    edges:",
            "    edges: &a [*a]\n    more:",
            "workflow.graph.edges[0] (line 17): this alias stands inside its own anchor; write the value out",
        ),
        ("name: A", "name: 'A", "app.name (line 4): the quotation mark of this text is not closed; add it"),
    ] {
        let spoilt = SOUND.replacen(from, to, 1);
        assert_ne!(spoilt, SOUND, "{from}");
        let said = refused(&spoilt);
        assert!(said.contains(expected), "{to}\n said    {said}\n instead {expected}");
        assert!(!said.contains('\n') && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn file_without_version_or_kind_is_an_app_of_the_first_version() {
    for (from, to) in [
        ("version: 0.6.0\n", ""),
        ("version: 0.6.0", "version: ''"),
        ("version: 0.6.0", "version: 0.1"),
        ("kind: app\n", ""),
        ("kind: app", "kind: ''"),
        ("version: 0.6.0\nkind: app\n", ""),
    ] {
        let text = SOUND.replacen(from, to, 1);
        assert_ne!(text, SOUND, "{from}");
        assert_eq!(read(&text).unwrap().app, read(SOUND).unwrap().app, "{to}");
    }
}

#[test]
fn last_of_two_equal_keys_wins() {
    let text = SOUND.replacen("  name: A\n", "  name: A\n  name: B\n", 1);
    assert_eq!(read(&text).unwrap().app.name, "B");
}

#[test]
fn app_without_a_graph_is_checked() {
    for (from, to, expected) in [
        ("model_config:", "other:", "model_config: must be a mapping in an app of mode chat"),
        ("provider: echo, ", "", "model_config.model.provider (line 5): is missing; name the model to use"),
        ("  model:", "  pre_prompt: [x]\n  model:", "model_config.pre_prompt (line 5): must be text"),
        ("  model:", "  agent_mode: x\n  model:", "model_config.agent_mode (line 5): must be a mapping"),
        ("  model:", "  prompt_type: odd\n  model:", "model_config.prompt_type (line 5): is \"odd\""),
        ("  model:", "  user_input_form: [{slider: {variable: a}}]\n  model:", "`slider` is not a kind of field"),
        ("  model:", "  user_input_form: [{select: {label: a}}]\n  model:", "user_input_form[0].select.variable"),
        ("  model:", "  user_input_form: [3]\n  model:", "model_config.user_input_form[0]"),
    ] {
        let spoilt = CHAT.replacen(from, to, 1);
        assert_ne!(spoilt, CHAT, "{from}");
        let said = refused(&spoilt);
        assert!(said.contains(expected), "{to}\n said    {said}\n instead {expected}");
    }
}

#[test]
fn error_about_a_hostile_file_is_short_and_without_control_characters() {
    let hostile = format!("\"\\e[2J\\u202e{}\"", "x".repeat(100_000));
    let dangling = refused(&SOUND.replacen("target: mid", &format!("target: {hostile}"), 1));
    let warned =
        read(&SOUND.replacen("type: template-transform, title: Mid", &format!("type: code, title: {hostile}"), 1));
    for said in [dangling, warned.unwrap().warnings.remove(0), refused(&format!("{hostile}: 1\n{hostile}: 2"))] {
        assert!(said.len() < 2_000 && !said.contains(['\u{1b}', '\u{202e}', '\n']), "{said}");
    }
}

#[test]
fn file_that_is_not_an_app_is_rejected() {
    assert!(refused("").contains("not a mapping"));
    assert!(refused("- a").contains("not a mapping"));
    assert!(refused("--- {}\n--- {}").contains("a second document begins here"));
    assert!(refused(&"a".repeat(LONGEST + 1)).contains("longer than 10 MiB"));
    assert!(
        refused(&format!("a: {}{}", "[".repeat(400), "]".repeat(400)))
            .contains("line 1): is nested deeper than 64 levels")
    );
    let blocks = (0..200).map(|n| " ".repeat(n) + "a:\n").collect::<String>();
    assert!(refused(&blocks).contains("is nested deeper than 64 levels"));
}

#[test]
fn aliases_are_accepted_within_a_limit() {
    let used = SOUND.replacen("variables: []", "variables: &none []", 1).replacen("outputs: []", "outputs: *none", 1);
    assert!(read(&used).is_ok());
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..12 {
        let row = vec![format!("*a{}", n - 1); 10].join(",");
        bomb += &["a", &n.to_string(), ": &a", &n.to_string(), " [", &row, "]\n"].concat();
    }
    let since = std::time::Instant::now();
    assert!(refused(&bomb).contains("aliases repeat too much"), "{}", refused(&bomb));
    assert!(since.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn unsupported_node_type_is_a_warning_that_names_the_node() {
    let read = read(&SOUND.replacen("type: template-transform, ", "type: code, ", 1)).unwrap();
    assert_eq!(read.warnings.len(), 1);
    assert!(read.warnings[0].contains("nodes[1]") && read.warnings[0].contains("`code`"), "{:?}", read.warnings);
}

#[test]
fn check_names_every_node_tool_and_fault_with_its_line() {
    assert_eq!(check(SOUND, false), Checked::default());
    let several = SOUND
        .replacen("type: template-transform, ", "type: code, ", 1)
        .replacen(
            "type: end, title: End, outputs: []",
            "type: tool, title: End, provider_type: api, tool_name: web_search",
            1,
        )
        .replacen("type: start, ", "type: start, retry_config: {max_retries: often}, ", 1);
    let faults: Vec<String> = check(&several, false).faults.iter().map(DslError::to_string).collect();
    assert_eq!(
        faults,
        [
            "workflow.graph.nodes[1] (line 13): the node type `code` of \"Mid\" is not supported here; every run will be refused",
            "workflow.graph.nodes[2] (line 15): the node type `tool` of \"End\" with `web_search` of a provider of the type \
             `api` is not supported here; every run will be refused",
            "workflow.graph.nodes[0].data.retry_config.max_retries (line 12): the node \"Start\" is the text \"often\"; write a \
             whole number that is not negative",
        ]
    );
    // The import warns of the same.
    assert_eq!(read(&several).unwrap().warnings, faults);
    let refused = check(&SOUND.replacen("target: mid", "target: gone", 1), false).faults;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].to_string(), "workflow.graph.edges[0].target (line 18): there is no node `gone`");
    assert_eq!(check("a: [", false).faults.len(), 1);
}

#[test]
fn check_names_the_tools_of_an_agent() {
    let agent = "app: {name: B, mode: agent-chat}
model_config:
  model: {provider: echo, name: echo}
  agent_mode:
    enabled: true
    tools:
    - {tool_name: current_time, enabled: true}
    - {tool_name: off, enabled: false}
    - google_search: {enabled: true}
    - dataset: {enabled: true, id: x}
  sensitive_word_avoidance: {enabled: true, type: openai_moderation}
";
    let faults: Vec<String> = check(agent, false).faults.iter().map(DslError::to_string).collect();
    let expected = [
        "model_config.agent_mode.tools[0] (line 7): the tool `current_time`",
        "model_config.agent_mode.tools[2] (line 9): the tool `google_search`",
        "model_config.agent_mode.tools[3] (line 10): knowledge retrieval",
        "model_config.sensitive_word_avoidance (line 11): moderation by `openai_moderation`",
    ];
    assert_eq!(faults, expected.map(|fault| format!("{fault} is not supported here; every run will be refused")));
    assert_eq!(read(agent).unwrap().warnings, faults);
}

#[test]
fn check_names_the_nodes_that_send_files() {
    let file = "{type: http-request, method: post, url: 'http://x', body: {type: binary, data: [{type: file, file: [a, doc]}]}, ";
    let sends = SOUND.replacen("{type: template-transform, ", file, 1);
    let said = |found: Vec<DslError>| found.iter().map(DslError::to_string).collect::<Vec<_>>();
    let fault = "workflow.graph.nodes[1] (line 13): the node \"Mid\" sends the file `a.doc`; files are not supported here; every run \
                 will be refused";
    assert_eq!(said(check(&sends, false).faults), [fault]);
}

#[test]
fn file_inputs_are_supported() {
    let form =
        "title: Start, variables: [{variable: doc, type: file, required: true}, {variable: more, type: file-list}]";
    let graph = SOUND.replacen("title: Start, variables: []", form, 1);
    let chat = "app: {name: B, mode: chat}
model_config:
  model: {provider: echo, name: echo}
  user_input_form: [{file: {variable: doc, required: true}}]
  file_upload: {image: {enabled: true}}
";
    for text in [graph.as_str(), chat] {
        let Checked { faults, warnings } = check(text, false);
        assert!(faults.is_empty() && warnings.is_empty(), "{faults:?} {warnings:?}");
    }
}

#[test]
fn graph_that_the_engine_rejects_is_rejected() {
    let said = refused(&SOUND.replacen("type: start, ", "type: answer, answer: x, ", 1));
    assert!(said.starts_with("workflow.graph (line 9): ") && said.contains("no start node"), "{said}");
}

#[test]
fn ambiguous_texts_are_quoted() {
    let mut app = read(CHAT).unwrap().app;
    for text in [
        "yes",
        "No",
        "on",
        "~",
        "null",
        "1e5",
        "0x1F",
        "08",
        "12:30",
        "1_000",
        ".5",
        "2026-01-01",
        "- a",
        "a: b",
        "# a",
    ] {
        app.name = text.to_owned();
        let written = write(&app).unwrap();
        assert!(written.contains(&format!("name: \"{text}\"")), "{written}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        "[ -~\n\tä€🦜\u{85}\u{2028}]{0,24}".prop_map(Value::from),
        "(yes|no|on|off|null|~|true|<<|[0-9eE.+_:xob-]{1,8}|[-?:,\\[\\]{}#&*!|>'\"%@` ]{1,6})".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec(("[ -~]{0,12}|yes|Off|null|~|<<|=|[0-9eE.+_:xob-]{1,8}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_an_app_holds_comes_back_from_its_file(
        name in "[!-~ä🦜][ -~]{0,40}",
        description in "[ -~\n\tä€]{0,80}",
        features in json_value(),
        value in json_value(),
    ) {
        let mut app = read(SOUND).unwrap().app;
        (app.name, app.description) = (name, description);
        let AppBody::Graph(GraphBody { features: kept, environment_variables, .. }) = &mut app.body else {
        panic!("no graph")
    };
        *kept = json!({"any": features});
        environment_variables[0]["value"] = value;
        let text = write(&app).unwrap();
        let again = read(&text).map_err(|fault| TestCaseError::fail(format!("{fault}\n{text}")))?.app;
        prop_assert_eq!(&again, &app);
        prop_assert_eq!(write(&again).unwrap(), text);
    }

    #[test]
    fn no_text_makes_reading_panic(text in "(?s).{0,300}", cut in 0..SOUND.len()) {
        let _ = read(&text);
        if let (Some(head), Some(tail)) = (SOUND.get(..cut), SOUND.get(cut..)) {
            let _ = read(&format!("{head}{text}{tail}"));
        }
    }
}
