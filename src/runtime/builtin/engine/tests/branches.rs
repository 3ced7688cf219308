//! Concurrent branches, branches that are not followed, and joins.

use serde_json::{Value, json};

use super::run_setup::{RunSetup, llm, node};

fn answer(id: &str, text: &str) -> Value {
    node(id, "answer", json!({"answer": text}))
}

fn start() -> Value {
    node("start", "start", json!({}))
}

/// An `if-else` node: `yes` for `n` over 5, `maybe` for `n` over 3.
fn fork() -> Value {
    let over = |id: &str, least: &str| {
        json!({"case_id": id, "logical_operator": "and", "conditions": [
            {"variable_selector": ["start", "n"], "comparison_operator": ">", "value": least},
        ]})
    };
    node("fork", "if-else", json!({"cases": [over("yes", "5"), over("maybe", "3")]}))
}

#[tokio::test]
async fn branches_run_concurrently_and_the_join_waits_for_all() {
    let outputs = json!({"outputs": [
        {"variable": "a", "value_selector": ["a", "text"]}, {"variable": "b", "value_selector": ["b", "text"]},
    ]});
    let nodes = [
        start(),
        llm("a", "slow", "one two", json!({})),
        llm("b", "slow", "three", json!({})),
        node("end", "end", outputs),
    ];
    let run = RunSetup::workflow(nodes, "start>a start>b a>end b>end").execute().await;
    assert_eq!(run.summary(), r#"( +start -start +a +b "one " -b "two" "\n" "three" -a +end -end ) succeeded"#);
    assert_eq!(json!(run.outcome.outputs), json!({"a": "one two", "b": "three"}));
}

#[tokio::test]
async fn branch_that_is_not_followed_is_skipped_up_to_the_join() {
    let nodes = [
        start(),
        fork(),
        answer("big", "big "),
        answer("middle", "middle "),
        answer("small", "small "),
        answer("after", "after"),
        answer("done", "."),
    ];
    let edges =
        "start>fork fork:yes>big fork:maybe>middle fork:false>small middle>after big>done after>done small>done";
    for (n, line) in [
        (9, r#"( +start -start +fork "big " -fork +big "." -big +done -done message_end ) succeeded"#),
        (
            4,
            "( +start -start +fork \"middle \" -fork +middle \"after\" -middle +after \".\" -after +done -done \
             message_end ) succeeded",
        ),
        (1, r#"( +start -start +fork "small " -fork +small "." -small +done -done message_end ) succeeded"#),
    ] {
        let run = RunSetup::chat(nodes.clone(), edges).inputs(json!({"n": n})).execute().await;
        assert_eq!(run.summary(), line);
        assert_eq!(run.streamed_text(), run.outcome.answer);
    }
}

#[tokio::test]
async fn aggregator_outputs_the_value_of_the_branch_that_ran() {
    let template = |id: &str, text: &str| node(id, "template-transform", json!({"variables": [], "template": text}));
    let both = json!([["big", "output"], ["small", "output"]]);
    let groups = json!({"variables": [], "advanced_settings": {"group_enabled": true, "groups": [
        {"group_name": "g", "output_type": "string", "variables": both},
        {"group_name": "none", "output_type": "string", "variables": [["big", "missing"]]},
    ]}});
    let end = json!({"outputs": [
        {"variable": "one", "value_selector": ["one", "output"]},
        {"variable": "grouped", "value_selector": ["grouped", "g", "output"]},
        {"variable": "none", "value_selector": ["grouped", "none", "output"]},
    ]});
    let nodes = [
        start(),
        fork(),
        template("big", "B"),
        template("small", "S"),
        node("one", "variable-aggregator", json!({"variables": both})),
        node("grouped", "variable-assigner", groups),
        node("end", "end", end),
    ];
    let edges = "start>fork fork:yes>big fork:false>small big>one small>one one>grouped grouped>end";
    for (n, expected) in [(9, "B"), (0, "S")] {
        let run = RunSetup::workflow(nodes.clone(), edges).inputs(json!({"n": n})).execute().await;
        assert_eq!(json!(run.outcome.outputs), json!({"one": expected, "grouped": expected, "none": null}));
        assert_eq!(run.event_data("node_started", "grouped")["node_type"], "variable-aggregator");
    }
}

#[tokio::test]
async fn if_else_event_reports_the_compared_values() {
    let nodes = [start(), fork(), answer("big", "x")];
    let run = RunSetup::chat(nodes, "start>fork fork:yes>big").inputs(json!({"n": 4})).execute().await;
    let finished = run.event_data("node_finished", "fork");
    assert_eq!(
        finished["inputs"],
        json!({"conditions": [{"actual_value": 4, "expected_value": "3", "comparison_operator": ">"}]})
    );
    assert_eq!(finished["outputs"], json!({"result": true, "selected_case_id": "maybe"}));
    let results = finished["process_data"]["condition_results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert_eq!(results[1]["results"], json!([true]));
    assert_eq!(results[1]["group"]["conditions"][0]["variable_selector"], json!(["start", "n"]));
    assert_eq!(run.outcome.answer, "", "no edge leaves the branch that was chosen");
}

#[tokio::test]
async fn texts_of_two_certain_answers_follow_each_other() {
    let nodes = [
        start(),
        llm("a", "slow", "a1 a2 a3", json!({})),
        llm("b", "words", "b1 b2", json!({})),
        answer("first", "<{{#a.text#}}>"),
        answer("second", "[{{#b.text#}}{{#a.text#}}]"),
    ];
    let run = RunSetup::chat(nodes, "start>a start>b a>first b>second").execute().await;
    assert_eq!(run.outcome.answer, "<a1 a2 a3>[b1 b2a1 a2 a3]");
    assert_eq!(run.streamed_text(), run.outcome.answer);
}

#[tokio::test]
async fn answer_behind_a_branch_streams_nothing_before_the_branch_is_decided() {
    let nodes = [
        start(),
        llm("a", "words", "one two", json!({})),
        fork(),
        answer("big", "{{#a.text#}}!"),
        answer("small", "no"),
    ];
    let edges = "start>a a>fork fork:yes>big fork:false>small";
    let run = RunSetup::chat(nodes, edges).inputs(json!({"n": 9})).execute().await;
    assert_eq!(run.summary(), r#"( +start -start +a -a +fork "one two" "!" -fork +big -big message_end ) succeeded"#);
}

#[tokio::test]
async fn answer_reads_conversation_variables_after_they_are_written() {
    let items = json!({"version": "2", "items": [
        {"variable_selector": ["conversation", "mood"], "input_type": "constant", "operation": "set", "value": "glad"},
    ]});
    let nodes = [start(), node("set", "assigner", items), answer("tell", "mood: {{#conversation.mood#}}")];
    let mut setup = RunSetup::chat(nodes, "start>set set>tell");
    setup.conversation = json!({"mood": "calm", "other": [1]});
    let run = setup.execute().await;
    assert_eq!(run.outcome.answer, "mood: glad");
    assert_eq!(json!(run.outcome.conversation_variables), json!({"mood": "glad", "other": [1]}));
    let updated = &run.event_data("node_finished", "set")["process_data"]["__updated_variables"];
    assert_eq!(
        updated,
        &json!([{"name": "mood", "selector": ["conversation", "mood"], "value_type": "string", "new_value": "glad"}])
    );
}

#[tokio::test]
async fn llm_prompt_contains_template_context_and_memory() {
    use crate::runtime::builtin::model::{PromptMessage, PromptRole};
    let data = json!({
        "prompt_template": [
            {"role": "system", "text": "Context: {{#context#}}", "id": "x"},
            {"role": "user", "text": "", "edition_type": "jinja2", "jinja2_text": "{{ q|upper }}"},
            {"role": "assistant", "text": ""},
        ],
        "prompt_config": {"jinja2_variables": [{"variable": "q", "value_selector": ["sys", "query"]}]},
        "context": {"enabled": true, "variable_selector": ["start", "found"]},
        "memory": {"window": {"enabled": true, "size": 1}, "query_prompt_template": "Q: {{#sys.query#}}"},
        "vision": {"enabled": false},
    });
    let mut setup =
        RunSetup::chat([start(), llm("a", "words", "", data), answer("tell", "{{#a.text#}}")], "start>a a>tell");
    let message = |role, text: &str| PromptMessage::new(role, text);
    setup.history = vec![
        message(PromptRole::User, "forgotten"),
        message(PromptRole::Assistant, "as well"),
        message(PromptRole::User, "hi"),
        message(PromptRole::Assistant, "ho"),
    ];
    setup.inputs = json!({"found": ["one", {"content": "two"}]});
    let run = setup.execute().await;
    let prompts = run.models.prompts.lock();
    assert_eq!(
        prompts[0].messages,
        [
            message(PromptRole::System, "Context: one\ntwo"),
            message(PromptRole::User, "WHAT NOW?"),
            message(PromptRole::User, "hi"),
            message(PromptRole::Assistant, "ho"),
            message(PromptRole::User, "Q: What now?"),
        ]
    );
    assert_eq!(run.outcome.answer, "Q: What now?");
    let inputs = &run.event_data("node_finished", "a")["inputs"];
    let expected =
        json!({"#context#": "one\ntwo", "model_provider": "langgenius/scripted/scripted", "model_name": "words"});
    assert_eq!(inputs, &expected);
}

#[tokio::test]
async fn completion_model_receives_one_message() {
    use crate::runtime::builtin::model::{PromptMessage, PromptRole};
    let data = json!({
        "model": {"provider": "scripted", "name": "words", "mode": "completion"},
        "prompt_template": {"text": "{{#histories#}}\nNow: {{#sys.query#}}", "edition_type": "basic"},
        "memory": {"role_prefix": {"user": "U", "assistant": "A"}, "window": {"enabled": false}},
    });
    let mut setup =
        RunSetup::chat([start(), llm("a", "words", "", data), answer("tell", "{{#a.text#}}")], "start>a a>tell");
    let message = |role, text: &str| PromptMessage::new(role, text);
    setup.history = vec![message(PromptRole::User, "hi"), message(PromptRole::Assistant, "ho")];
    let run = setup.execute().await;
    assert_eq!(run.models.prompts.lock()[0].messages, [message(PromptRole::User, "U: hi\nA: ho\nNow: What now?")]);
}
