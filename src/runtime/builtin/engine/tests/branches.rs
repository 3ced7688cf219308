//! Branches side by side, branches not taken, and where they meet again.

use serde_json::{Value, json};

use super::stage::{Stage, llm, node};

fn answer(id: &str, text: &str) -> Value {
    node(id, "answer", json!({"answer": text}))
}

fn start() -> Value {
    node("start", "start", json!({}))
}

/// Branches to `yes` when the start's `n` is over 5, to `maybe` when over 3.
fn fork() -> Value {
    let over = |id: &str, least: &str| {
        json!({"case_id": id, "logical_operator": "and", "conditions": [
            {"variable_selector": ["start", "n"], "comparison_operator": ">", "value": least},
        ]})
    };
    node("fork", "if-else", json!({"cases": [over("yes", "5"), over("maybe", "3")]}))
}

#[tokio::test]
async fn branches_run_side_by_side_and_the_join_waits_for_all_of_them() {
    let outputs = json!({"outputs": [
        {"variable": "a", "value_selector": ["a", "text"]}, {"variable": "b", "value_selector": ["b", "text"]},
    ]});
    let nodes = [
        start(),
        llm("a", "slow", "one two", json!({})),
        llm("b", "slow", "three", json!({})),
        node("end", "end", outputs),
    ];
    let played = Stage::workflow(nodes, "start>a start>b a>end b>end").play().await;
    assert_eq!(played.line(), r#"( +start -start +a +b "one " -b "two" "\n" "three" -a +end -end ) succeeded"#);
    assert_eq!(json!(played.outcome.outputs), json!({"a": "one two", "b": "three"}));
}

#[tokio::test]
async fn a_branch_not_taken_is_skipped_to_where_another_joins() {
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
        (9, r#"( +start -start +fork "big " "." -fork +big -big +done -done message_end ) succeeded"#),
        (
            4,
            r#"( +start -start +fork "middle " "after" "." -fork +middle -middle +after -after +done -done message_end ) succeeded"#,
        ),
        (1, r#"( +start -start +fork "small " "." -fork +small -small +done -done message_end ) succeeded"#),
    ] {
        let played = Stage::chat(nodes.clone(), edges).inputs(json!({"n": n})).play().await;
        assert_eq!(played.line(), line);
        assert_eq!(played.said(), played.outcome.answer);
    }
}

#[tokio::test]
async fn an_aggregator_takes_what_the_branch_that_ran_put_out() {
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
        let played = Stage::workflow(nodes.clone(), edges).inputs(json!({"n": n})).play().await;
        assert_eq!(json!(played.outcome.outputs), json!({"one": expected, "grouped": expected, "none": null}));
        assert_eq!(played.data("node_started", "grouped")["node_type"], "variable-aggregator");
    }
}

#[tokio::test]
async fn the_deciding_node_tells_what_it_compared() {
    let nodes = [start(), fork(), answer("big", "x")];
    let played = Stage::chat(nodes, "start>fork fork:yes>big").inputs(json!({"n": 4})).play().await;
    let told = played.data("node_finished", "fork");
    assert_eq!(
        told["inputs"],
        json!({"conditions": [{"actual_value": 4, "expected_value": "3", "comparison_operator": ">"}]})
    );
    assert_eq!(told["outputs"], json!({"result": true, "selected_case_id": "maybe"}));
    let results = told["process_data"]["condition_results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert_eq!(results[1]["results"], json!([true]));
    assert_eq!(results[1]["group"]["conditions"][0]["variable_selector"], json!(["start", "n"]));
    assert_eq!(played.outcome.answer, "", "the branch that was taken leads nowhere");
}

#[tokio::test]
async fn two_answers_that_are_certain_speak_one_after_the_other() {
    let nodes = [
        start(),
        llm("a", "slow", "a1 a2 a3", json!({})),
        llm("b", "words", "b1 b2", json!({})),
        answer("first", "<{{#a.text#}}>"),
        answer("second", "[{{#b.text#}}{{#a.text#}}]"),
    ];
    let played = Stage::chat(nodes, "start>a start>b a>first b>second").play().await;
    assert_eq!(played.outcome.answer, "<a1 a2 a3>[b1 b2a1 a2 a3]");
    assert_eq!(played.said(), played.outcome.answer);
    assert_eq!(played.outcome.outputs["answer"], played.outcome.answer);
}

#[tokio::test]
async fn an_answer_behind_a_branch_says_nothing_before_it_is_certain() {
    let nodes = [
        start(),
        llm("a", "words", "one two", json!({})),
        fork(),
        answer("big", "{{#a.text#}}!"),
        answer("small", "no"),
    ];
    let edges = "start>a a>fork fork:yes>big fork:false>small";
    let played = Stage::chat(nodes, edges).inputs(json!({"n": 9})).play().await;
    assert_eq!(played.line(), r#"( +start -start +a -a +fork "one two" "!" -fork +big -big message_end ) succeeded"#);
}

#[tokio::test]
async fn what_an_answer_reads_of_the_conversation_is_what_was_written_on_the_way() {
    let items = json!({"version": "2", "items": [
        {"variable_selector": ["conversation", "mood"], "input_type": "constant", "operation": "set", "value": "glad"},
    ]});
    let nodes = [start(), node("set", "assigner", items), answer("tell", "mood: {{#conversation.mood#}}")];
    let mut stage = Stage::chat(nodes, "start>set set>tell");
    stage.conversation = json!({"mood": "calm", "other": [1]});
    let played = stage.play().await;
    assert_eq!(played.outcome.answer, "mood: glad");
    assert_eq!(json!(played.outcome.conversation_variables), json!({"mood": "glad", "other": [1]}));
    let told = &played.data("node_finished", "set")["process_data"]["updated_variables"];
    assert_eq!(
        told,
        &json!([{"name": "mood", "selector": ["conversation", "mood"], "value_type": "string", "new_value": "glad"}])
    );
}

#[tokio::test]
async fn a_model_remembers_and_is_asked_with_what_the_node_says() {
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
    let mut stage =
        Stage::chat([start(), llm("a", "words", "", data), answer("tell", "{{#a.text#}}")], "start>a a>tell");
    let line = |role, text: &str| PromptMessage { role, text: text.to_owned() };
    stage.history = vec![
        line(PromptRole::User, "forgotten"),
        line(PromptRole::Assistant, "as well"),
        line(PromptRole::User, "hi"),
        line(PromptRole::Assistant, "ho"),
    ];
    stage.inputs = json!({"found": ["one", {"content": "two"}]});
    let played = stage.play().await;
    let asked = played.models.asked.lock();
    assert_eq!(
        asked[0].messages,
        [
            line(PromptRole::System, "Context: one\ntwo"),
            line(PromptRole::User, "WHAT NOW?"),
            line(PromptRole::User, "hi"),
            line(PromptRole::Assistant, "ho"),
            line(PromptRole::User, "Q: What now?"),
        ]
    );
    assert_eq!(played.outcome.answer, "Q: What now?");
    let inputs = &played.data("node_finished", "a")["inputs"];
    assert_eq!(inputs, &json!({"q": "What now?", "#context#": "one\ntwo"}));
}

#[tokio::test]
async fn a_completion_model_gets_one_text() {
    use crate::runtime::builtin::model::{PromptMessage, PromptRole};
    let data = json!({
        "model": {"provider": "scripted", "name": "words", "mode": "completion"},
        "prompt_template": {"text": "{{#histories#}}\nNow: {{#sys.query#}}", "edition_type": "basic"},
        "memory": {"role_prefix": {"user": "U", "assistant": "A"}, "window": {"enabled": false}},
    });
    let mut stage =
        Stage::chat([start(), llm("a", "words", "", data), answer("tell", "{{#a.text#}}")], "start>a a>tell");
    let line = |role, text: &str| PromptMessage { role, text: text.to_owned() };
    stage.history = vec![line(PromptRole::User, "hi"), line(PromptRole::Assistant, "ho")];
    let played = stage.play().await;
    assert_eq!(played.models.asked.lock()[0].messages, [line(PromptRole::User, "U: hi\nA: ho\nNow: What now?")]);
}
