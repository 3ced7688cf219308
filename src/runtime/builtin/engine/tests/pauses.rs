//! Runs that wait for forms, and continue from what is kept of them.

use serde_json::{Value, json};

use super::run_setup::{FinishedRun, RunSetup, llm, map, node};
use crate::{
    domain::human_form::HumanForm,
    ports::runtime::FormAnswer,
    runtime::builtin::engine::pause::{PausedEngine, Resumption},
};

fn start() -> Value {
    node("start", "start", json!({}))
}

fn answer(id: &str, text: &str) -> Value {
    node(id, "answer", json!({"answer": text}))
}

/// A `human-input` node with the actions `yes` and `no`, and the input `note`.
fn human(id: &str, content: &str) -> Value {
    node(
        id,
        "human-input",
        json!({
            "form_content": content,
            "inputs": [{"type": "paragraph", "output_variable_name": "note"}],
            "user_actions": [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}],
            "timeout": 1, "timeout_unit": "day",
        }),
    )
}

/// What is kept of a run that waits, after it was written and read, and the form.
fn kept(run: &FinishedRun) -> (PausedEngine, HumanForm) {
    let pause = run.outcome.pause.as_ref().unwrap_or_else(|| panic!("{}", run.summary()));
    let text = serde_json::to_string(&pause.engine).unwrap();
    (serde_json::from_str(&text).unwrap(), pause.form.form.clone())
}

/// Continues a run whose form was resolved.
async fn resumed(mut setup: RunSetup, run: &FinishedRun, action: Option<&str>) -> FinishedRun {
    let (engine, form) = kept(run);
    let expires_at = run.outcome.pause.as_ref().unwrap().form.expires_at;
    let values = map(if action.is_some() { json!({"note": "fine"}) } else { json!({}) });
    let answer = FormAnswer { form, expires_at, action: action.map(str::to_owned), values };
    setup.resumption = Some(Resumption { engine, answer });
    setup.execute().await
}

fn names(run: &FinishedRun) -> String {
    run.summary().replace("human_input_", "")
}

#[tokio::test]
async fn run_waits_and_continues_along_the_chosen_action() {
    let setup = || {
        let nodes = [
            start(),
            human("ask", "Really?"),
            answer("sent", "{{#ask.note#}} {{#ask.__action_value#}}"),
            answer("dropped", "dropped"),
            answer("late", "late {{#ask.__action_id#}}."),
        ];
        RunSetup::chat(nodes, "start>ask ask:yes>sent ask:no>dropped ask:__timeout>late")
    };
    let paused = setup().execute().await;
    assert_eq!(names(&paused), "( +start -start +ask required workflow_paused");
    for (action, expected) in [
        (Some("yes"), "form_filled -ask +sent -sent"),
        (Some("no"), "form_filled -ask +dropped -dropped"),
        (None, "form_timeout -ask +late -late"),
    ] {
        let run = resumed(setup(), &paused, action).await;
        let without_texts: Vec<_> = run.events.iter().filter(|event| event["event"] != "message").cloned().collect();
        let events = FinishedRun { events: without_texts, outcome: run.outcome.clone(), models: run.models.clone() };
        assert_eq!(names(&events), format!("{expected} message_end ) succeeded"));
        assert_eq!(run.outcome.total_steps, 3);
    }
    let sent = resumed(setup(), &paused, Some("yes")).await;
    assert_eq!((sent.outcome.answer.as_str(), &sent.outcome.outputs["answer"]), ("fine Yes", &json!("fine Yes")));
    assert_eq!(resumed(setup(), &paused, None).await.outcome.answer, "late .");
}

#[tokio::test]
async fn form_is_in_the_events_and_the_pause() {
    let run = RunSetup::workflow([start(), human("ask", "For {{#sys.user_id#}}")], "start>ask").execute().await;
    let [required, paused] = &run.events[run.events.len() - 2..] else { panic!("no pause") };
    let data = &required["data"];
    let token = data["form_token"].as_str().unwrap();
    assert_eq!(token.len(), 43);
    assert_eq!((&data["form_content"], &data["node_title"]), (&json!("For u-1"), &json!("The ask")));
    assert_eq!(data["expiration_time"], 1_700_000_000 + 86_400);
    let reason = &paused["data"]["reasons"][0];
    assert_eq!((&reason["TYPE"], &reason["form_token"]), (&json!("human_input_required"), &json!(token)));
    assert_eq!(paused["data"]["paused_nodes"], json!(["ask"]));
    let debug = format!("{:?}", run.outcome);
    assert!(!debug.contains(token), "the token is printed");
    assert!(!serde_json::to_string(&kept(&run).0).unwrap().contains(token), "the token is stored");
}

#[tokio::test]
async fn action_without_an_edge_ends_the_run() {
    let setup =
        || RunSetup::workflow([start(), human("ask", "?"), node("end", "end", json!({}))], "start>ask ask:yes>end");
    let paused = setup().execute().await;
    let run = resumed(setup(), &paused, Some("no")).await;
    assert_eq!(names(&run), "form_filled -ask ) succeeded");
    assert_eq!(run.outcome.outputs.len(), 0);
}

#[tokio::test]
async fn text_continues_where_it_was() {
    let setup = || {
        let nodes = [
            start(),
            llm("a", "words", "one two", json!({})),
            human("ask", "?"),
            answer("out", "A {{#a.text#}} B {{#ask.note#}} C {{#a.text#}}"),
        ];
        RunSetup::chat(nodes, "start>a a>ask ask:yes>out ask:no>out")
    };
    let paused = setup().execute().await;
    let run = resumed(setup(), &paused, Some("yes")).await;
    assert_eq!(run.outcome.answer, "A one two B fine C one two");
    let text =
        |run: &FinishedRun| -> String { run.events.iter().filter_map(|event| event["answer"].as_str()).collect() };
    assert_eq!(text(&paused) + &text(&run), run.outcome.answer, "each piece is written once");
    assert_eq!((run.outcome.usage.prompt_tokens, run.outcome.total_tokens()), (3, 5));
}

#[tokio::test]
async fn forms_of_parallel_branches_follow_each_other() {
    let setup = || {
        let outputs = json!({"outputs": [
            {"variable": "a", "value_selector": ["a", "__action_id"]},
            {"variable": "b", "value_selector": ["b", "__action_id"]},
        ]});
        let nodes = [start(), human("a", "A?"), human("b", "B?"), node("end", "end", outputs)];
        RunSetup::workflow(nodes, "start>a start>b a:yes>end b:no>end")
    };
    let first = setup().execute().await;
    assert_eq!(names(&first), "( +start -start +a +b required workflow_paused");
    let second = resumed(setup(), &first, Some("yes")).await;
    assert_eq!(names(&second), "form_filled \"yes\" \"\\n\" -a required workflow_paused");
    let third = resumed(setup(), &second, Some("no")).await;
    assert_eq!(names(&third), "form_filled \"no\" -b +end -end ) succeeded");
    assert_eq!(Value::Object(third.outcome.outputs), json!({"a": "yes", "b": "no"}));
}

#[tokio::test]
async fn values_before_the_pause_are_kept() {
    let setup = || {
        let set = json!({"version": "2", "items": [
            {"variable_selector": ["conversation", "mood"], "input_type": "constant", "operation": "set", "value": "calm"},
        ]});
        let template =
            json!({"template": "{{ x }}!", "variables": [{"variable": "x", "value_selector": ["start", "n"]}]});
        let nodes = [
            start(),
            node("set", "assigner", set),
            node("text", "template-transform", template),
            human("ask", "{{#text.output#}}"),
            answer("out", "{{#start.n#}} {{#text.output#}} {{#conversation.mood#}}"),
        ];
        let mut setup = RunSetup::chat(nodes, "start>set set>text text>ask ask:yes>out").inputs(json!({"n": "7"}));
        setup.conversation = json!({"mood": "none"});
        setup
    };
    let paused = setup().execute().await;
    let mut again = setup();
    again.conversation = Value::Object(kept(&paused).0.conversation_variables.clone());
    let run = resumed(again, &paused, Some("yes")).await;
    assert_eq!(run.outcome.answer, "7 7! calm");
    assert_eq!(run.outcome.conversation_variables, map(json!({"mood": "calm"})));
}

#[tokio::test]
async fn timeout_is_limited() {
    let setup = RunSetup::workflow([start(), human("ask", "?")], "start>ask");
    let run = setup.limits(|limits| limits.form_timeout = std::time::Duration::from_mins(1)).execute().await;
    assert_eq!(run.outcome.pause.unwrap().form.expires_at.timestamp(), 1_700_000_060);
}
