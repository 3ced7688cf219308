//! Completed runs and their conversations.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::{
    app::AppMode,
    conversation::{
        Conversation, EndUser, Ending, Exchange, MessageRecord, ModelName, NewConversation, RunRecord,
        WorkflowRunRecord,
    },
    id::{AppId, ConversationId, EndUserId, MessageId, ModelConfigId, WorkflowId, WorkflowRunId, WorkspaceId},
    stored_run::RunCreator,
};

conformance!(
    conversation_is_found_by_its_caller_and_app_only,
    rows_have_the_values_that_dify_writes,
    rows_of_a_run_refer_to_each_other,
    failed_and_stopped_runs_are_stored,
    concurrent_first_runs_create_one_end_user,
    conversation_has_its_last_exchanges_cut_and_in_order,
    concurrent_runs_of_one_conversation_are_all_stored,
    run_adds_nothing_to_a_deleted_conversation,
    finished_run_is_found_by_its_creator_only,
);

fn end_user(app: u128, user: &str) -> EndUser {
    let workspace_id = WorkspaceId(Uuid::from_u128(1));
    EndUser { workspace_id, app_id: AppId(Uuid::from_u128(app)), user: user.to_owned(), issuer: None }
}

pub(super) fn conversation_id(id: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(id))
}

pub(super) fn chat_run(
    owner: &EndUser,
    id: ConversationId,
    begins: bool,
    exchange: (&str, &str),
    at: i64,
) -> RunRecord {
    let new = NewConversation {
        name: NewConversation::name_from_query(Some(exchange.0)),
        introduction: "Hi\0!".to_owned(),
        model_config_id: Some(ModelConfigId(Uuid::from_u128(4))),
    };
    RunRecord {
        end_user: owner.clone(),
        mode: AppMode::Chat,
        inputs: Map::from_iter([("name".to_owned(), json!("Ann\0"))]),
        ending: Ending::Succeeded,
        began_at: later(at),
        ended_at: later(at + 1),
        message: Some(MessageRecord {
            id: MessageId(Uuid::new_v4()),
            conversation_id: id,
            begins: begins.then_some(new),
            model: Some(ModelName { provider: "echo".to_owned(), name: "demo".to_owned() }),
            query: exchange.0.to_owned(),
            prompt: json!([{"role": "user", "text": exchange.0, "files": []}]),
            answer: exchange.1.to_owned(),
            prompt_tokens: 3,
            completion_tokens: u64::MAX,
            latency: Duration::from_millis(1_500),
            metadata: json!({"usage": {}}),
            variables: Map::new(),
        }),
        workflow_run: None,
    }
}

/// A run of an app with a graph, which handled a failure.
pub(super) fn graph_run(owner: &EndUser) -> RunRecord {
    let mut run = chat_run(owner, conversation_id(9), true, ("Hello there", "General"), 0);
    run.mode = AppMode::AdvancedChat;
    run.ending = Ending::PartlySucceeded;
    run.workflow_run = Some(WorkflowRunRecord {
        id: WorkflowRunId(Uuid::from_u128(5)),
        workflow_id: WorkflowId(Uuid::from_u128(6)),
        version: "2026-01-01 00:00:00".to_owned(),
        graph: Arc::from("{\"nodes\":[]}"),
        inputs: json!({"sys.query": "Hello\0"}),
        outputs: json!({"answer": "General"}),
        elapsed: Duration::from_millis(250),
        total_tokens: 12,
        total_steps: 3,
        exceptions_count: 1,
    });
    run
}

async fn find(sql: &SqlStore, id: ConversationId, owner: &EndUser) -> Option<Conversation> {
    sql.find_conversation(id, owner, 3, 10).await.unwrap()
}

/// Some columns of one row as JSON, on any database.
async fn row(sql: &SqlStore, query: &str, columns: &[&str]) -> Value {
    let row = sql.db.query_one_raw(Statement::from_string(sql.backend, query)).await.unwrap().expect("a row");
    let value = |column: &str| {
        let text = row.try_get_by::<Option<String>, _>(column).map(Value::from);
        let text = text.or_else(|_| row.try_get_by::<Option<i32>, _>(column).map(Value::from));
        let text = text.or_else(|_| row.try_get_by::<Option<i64>, _>(column).map(Value::from));
        let text = text.or_else(|_| row.try_get_by::<Option<bool>, _>(column).map(Value::from));
        let text = text.or_else(|_| row.try_get_by::<Option<f64>, _>(column).map(Value::from));
        text.or_else(|_| row.try_get_by::<Value, _>(column)).unwrap_or_else(|error| panic!("{column}: {error}"))
    };
    columns.iter().map(|column| (String::from(*column), value(column))).collect::<Map<_, _>>().into()
}

async fn conversation_is_found_by_its_caller_and_app_only(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let (ann, id) = (end_user(2, "ann"), conversation_id(9));
    assert_eq!(find(&sql, id, &ann).await, None);
    sql.record_run(&chat_run(&ann, id, true, ("one", "1"), 0)).await.unwrap();
    let mut second = chat_run(&ann, id, false, ("two\0", "2"), 10);
    let kept = Map::from_iter([("count".to_owned(), json!(2)), ("log".to_owned(), json!(["\0é"]))]);
    second.message.as_mut().unwrap().variables = kept.clone();
    sql.record_run(&second).await.unwrap();
    let exchange = |query: &str, answer: &str| Exchange { query: query.to_owned(), answer: answer.to_owned() };
    let expected = Conversation {
        introduction: "Hi\u{fffd}!".to_owned(),
        dialogue_count: 2,
        variables: kept,
        exchanges: vec![exchange("one", "1"), exchange("two\u{fffd}", "2")],
    };
    assert_eq!(find(&sql, id, &ann).await.unwrap(), expected);
    // The run changes one variable and keeps the other.
    let mut third = chat_run(&ann, id, false, ("three", "3"), 20);
    third.message.as_mut().unwrap().variables = Map::from_iter([("count".to_owned(), json!(3))]);
    sql.record_run(&third).await.unwrap();
    let variables = find(&sql, id, &ann).await.unwrap().variables;
    assert_eq!(Value::Object(variables), json!({"count": 3, "log": ["\0é"]}));

    assert_eq!(find(&sql, id, &end_user(2, "bob")).await, None);
    assert_eq!(find(&sql, id, &end_user(3, "ann")).await, None);
    let elsewhere = EndUser { workspace_id: WorkspaceId(Uuid::from_u128(7)), ..ann.clone() };
    assert_eq!(find(&sql, id, &elsewhere).await, None);
    assert_eq!(find(&sql, conversation_id(8), &ann).await, None);
    execute(&sql, "UPDATE conversations SET is_deleted = true").await;
    assert_eq!(find(&sql, id, &ann).await, None);
}

async fn finished_run_is_found_by_its_creator_only(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let ann = end_user(2, "ann");
    sql.record_run(&graph_run(&ann)).await.unwrap();
    let creator = |app: u128, id: EndUserId, user: &str| RunCreator {
        app: AppId(Uuid::from_u128(app)),
        id,
        forwarded_as: user.to_owned(),
    };
    let other = EndUserId(Uuid::from_u128(99));
    let found = async |run: u128, creator: RunCreator| {
        let found = sql.find_workflow_run(WorkflowRunId(Uuid::from_u128(run)), &creator).await.unwrap();
        found.map(|run| (run.created_by, run.status))
    };
    let run = Some((ann.id(), "partial-succeeded".to_owned()));
    assert_eq!(found(5, creator(2, ann.id(), "opaque")).await, run);
    // Dify's row of the user has another id.
    assert_eq!(found(5, creator(2, other, "ann")).await, run);
    assert_eq!(found(5, creator(2, other, "bob")).await, None);
    assert_eq!(found(5, creator(3, ann.id(), "ann")).await, None, "another app");
    assert_eq!(found(6, creator(2, ann.id(), "ann")).await, None, "another run");
    execute(&sql, "UPDATE workflow_runs SET status = 'running', finished_at = NULL").await;
    assert_eq!(found(5, creator(2, ann.id(), "ann")).await, None, "a run that has not ended");
}

async fn rows_have_the_values_that_dify_writes(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let ann = end_user(2, "ann");
    sql.record_run(&graph_run(&ann)).await.unwrap();
    let end_user = row(&sql, "SELECT * FROM end_users", &["type", "external_user_id", "session_id"]).await;
    let columns = [
        "mode",
        "name",
        "introduction",
        "system_instruction",
        "status",
        "from_source",
        "invoke_from",
        "model_provider",
        "model_id",
        "dialogue_count",
    ];
    let conversation = row(&sql, "SELECT * FROM conversations", &columns).await;
    let columns = [
        "query",
        "answer",
        "message_tokens",
        "answer_tokens",
        "currency",
        "from_source",
        "status",
        "error",
        "message_metadata",
        "invoke_from",
        "app_mode",
    ];
    let message = row(&sql, "SELECT * FROM messages", &columns).await;
    let columns = [
        "type",
        "triggered_from",
        "version",
        "graph",
        "inputs",
        "status",
        "outputs",
        "error",
        "total_steps",
        "created_by_role",
        "exceptions_count",
    ];
    let workflow_run = row(&sql, "SELECT * FROM workflow_runs", &columns).await;
    insta::allow_duplicates! {
        insta::assert_json_snapshot!(end_user, @r#"
        {
          "type": "service_api",
          "external_user_id": "ann",
          "session_id": "ann"
        }
        "#);
        insta::assert_json_snapshot!(conversation, @r#"
        {
          "mode": "advanced-chat",
          "name": "Hello there",
          "introduction": "Hi�!",
          "system_instruction": "",
          "status": "normal",
          "from_source": "api",
          "invoke_from": "service-api",
          "model_provider": "echo",
          "model_id": "demo",
          "dialogue_count": 1
        }
        "#);
        insta::assert_json_snapshot!(message, @r#"
        {
          "query": "Hello there",
          "answer": "General",
          "message_tokens": 3,
          "answer_tokens": 2147483647,
          "currency": "USD",
          "from_source": "api",
          "status": "normal",
          "error": null,
          "message_metadata": "{\"usage\":{}}",
          "invoke_from": "service-api",
          "app_mode": "advanced-chat"
        }
        "#);
        insta::assert_json_snapshot!(workflow_run, @r#"
        {
          "type": "chat",
          "triggered_from": "app-run",
          "version": "2026-01-01 00:00:00",
          "graph": "{\"nodes\":[]}",
          "inputs": "{\"sys.query\":\"Hello\\u0000\"}",
          "status": "partial-succeeded",
          "outputs": "{\"answer\":\"General\"}",
          "error": null,
          "total_steps": 3,
          "created_by_role": "end_user",
          "exceptions_count": 1
        }
        "#);
    }
}

async fn rows_of_a_run_refer_to_each_other(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    sql.record_run(&graph_run(&end_user(2, "ann"))).await.unwrap();
    for reference in [
        "conversations WHERE from_end_user_id = (SELECT id FROM end_users) AND from_account_id IS NULL",
        "messages WHERE from_end_user_id = (SELECT id FROM end_users) \
         AND workflow_run_id = (SELECT id FROM workflow_runs)",
        "messages WHERE conversation_id = (SELECT id FROM conversations) AND parent_message_id IS NOT NULL",
        "workflow_runs WHERE created_by = (SELECT id FROM end_users) \
         AND finished_at > created_at AND elapsed_time = 0.25",
        "workflow_runs WHERE total_tokens = 12",
    ] {
        assert_eq!(count(&sql, reference).await, 1, "{reference}");
    }
}

async fn failed_and_stopped_runs_are_stored(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let ann = end_user(2, "ann");
    let mut failed = chat_run(&ann, conversation_id(1), true, ("q", ""), 0);
    failed.ending = Ending::Failed("It broke\0.".to_owned());
    sql.record_run(&failed).await.unwrap();
    let mut stopped = chat_run(&ann, conversation_id(2), true, ("q", "half an ans"), 0);
    stopped.ending = Ending::Stopped("The client disconnected.".to_owned());
    sql.record_run(&stopped).await.unwrap();
    assert_eq!(count(&sql, "messages WHERE status = 'error' AND error = 'It broke\u{fffd}.'").await, 1);
    assert_eq!(count(&sql, "messages WHERE status = 'normal' AND error = 'The client disconnected.'").await, 1);
    // As in Dify, a query without an answer stays in the conversation.
    let unanswered = Exchange { query: "q".to_owned(), answer: String::new() };
    assert_eq!(find(&sql, conversation_id(1), &ann).await.unwrap().exchanges, [unanswered]);
    assert_eq!(find(&sql, conversation_id(2), &ann).await.unwrap().exchanges.len(), 1);
    let workflow = |ending: Ending| RunRecord {
        mode: AppMode::Workflow,
        ending,
        message: None,
        workflow_run: Some(WorkflowRunRecord {
            id: WorkflowRunId(Uuid::new_v4()),
            workflow_id: WorkflowId(Uuid::from_u128(6)),
            version: "1".to_owned(),
            graph: Arc::from("{}"),
            inputs: json!({}),
            outputs: Value::Null,
            elapsed: Duration::ZERO,
            total_tokens: 0,
            total_steps: 0,
            exceptions_count: 0,
        }),
        ..chat_run(&ann, conversation_id(3), true, ("", ""), 0)
    };
    sql.record_run(&workflow(Ending::Stopped("The server stopped.".to_owned()))).await.unwrap();
    sql.record_run(&workflow(Ending::Failed("no".to_owned()))).await.unwrap();
    assert_eq!(count(&sql, "workflow_runs WHERE type = 'workflow' AND status = 'stopped'").await, 1);
    assert_eq!(count(&sql, "workflow_runs WHERE type = 'workflow' AND status = 'failed' AND error = 'no'").await, 1);
    assert_eq!(count(&sql, "conversations").await, 2);
}

async fn concurrent_first_runs_create_one_end_user(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    for round in 0..10 {
        let owner = end_user(2, &format!("u{round}"));
        let runs = (0..8).map(|n| {
            let (sql, run) = (sql.clone(), chat_run(&owner, conversation_id(round * 100 + n), true, ("q", "a"), 0));
            tokio::spawn(async move { sql.record_run(&run).await })
        });
        for run in runs.collect::<Vec<_>>() {
            run.await.unwrap().unwrap();
        }
    }
    assert_eq!(count(&sql, "end_users").await, 10);
    assert_eq!(count(&sql, "conversations").await, 80);
}

async fn conversation_has_its_last_exchanges_cut_and_in_order(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let (ann, id) = (end_user(2, "ann"), conversation_id(9));
    for n in 0..5 {
        let exchange = (format!("q{n}"), "é".repeat(20));
        sql.record_run(&chat_run(&ann, id, n == 0, (&exchange.0, &exchange.1), n * 10)).await.unwrap();
    }
    let conversation = find(&sql, id, &ann).await.unwrap();
    let queries: Vec<&str> = conversation.exchanges.iter().map(|exchange| exchange.query.as_str()).collect();
    assert_eq!(queries, ["q2", "q3", "q4"]);
    assert!(conversation.exchanges.iter().all(|exchange| exchange.answer == "é".repeat(10)));
    assert_eq!(conversation.dialogue_count, 5);
}

async fn concurrent_runs_of_one_conversation_are_all_stored(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let (ann, id) = (end_user(2, "ann"), conversation_id(9));
    sql.record_run(&chat_run(&ann, id, true, ("q", "a"), 0)).await.unwrap();
    let runs = (1..=8).map(|n| {
        let mut run = chat_run(&ann, id, false, ("q", "a"), n);
        run.message.as_mut().unwrap().variables =
            Map::from_iter([(format!("n{n}"), json!(n)), ("all".to_owned(), json!(n))]);
        let sql = sql.clone();
        tokio::spawn(async move { sql.record_run(&run).await })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap().unwrap();
    }
    let conversation = find(&sql, id, &ann).await.unwrap();
    assert_eq!(conversation.dialogue_count, 9);
    assert_eq!(count(&sql, "messages").await, 9);
    // Each run changed its own variable and a shared one. No change is lost.
    assert!((1..=8).all(|n| conversation.variables[&format!("n{n}")] == json!(n)));
    assert!(conversation.variables.contains_key("all"));
}

async fn run_adds_nothing_to_a_deleted_conversation(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let (ann, id) = (end_user(2, "ann"), conversation_id(9));
    sql.record_run(&chat_run(&ann, id, true, ("q", "a"), 0)).await.unwrap();
    execute(&sql, "UPDATE conversations SET is_deleted = true").await;
    let mut run = chat_run(&ann, id, false, ("q", "a"), 10);
    run.message.as_mut().unwrap().variables = Map::from_iter([("n".to_owned(), json!(1))]);
    sql.record_run(&run).await.unwrap();
    assert_eq!(count(&sql, "messages").await, 1);
    assert_eq!(count(&sql, "openapi_conversation_variables").await, 0);
}
