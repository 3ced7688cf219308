//! Definitions of apps: configurations of models, and versions of graphs.

use serde_json::json;

use super::*;
use crate::domain::{
    app::{Definition, mode::AppStatus},
    id::WorkflowId,
};

conformance!(find_app_reads_the_definition, find_app_reads_versions_of_the_app_but_no_drafts,);

async fn find_app_reads_the_definition(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let chat = fixture.app("Chat", "chat", 1).await;
    let (config, graph) = (Uuid::new_v4(), Uuid::new_v4());
    let model = json!({"provider": "echo", "name": "echo"});
    execute(
        &fixture.sql,
        &format!(
            "INSERT INTO app_model_configs \
             (id, app_id, model, user_input_form, pre_prompt, agent_mode, opening_statement, file_upload) \
             VALUES ('{config}', '{chat}', '{model}', 'not JSON', 'Be kind.', '{{\"enabled\": true}}', 'Hello', '')"
        ),
    )
    .await;
    let find = async |id, wanted| {
        fixture.sql.find_app(fixture.alice, id, None, wanted, &mut |_| Ok(())).await.unwrap().1.unwrap()
    };
    assert!(find(chat, AppDetail::Published).await.definition.is_none(), "nothing is published");
    fixture.set(chat, &format!("app_model_config_id = '{config}', max_active_requests = 3")).await;
    let app = find(chat, AppDetail::Published).await;
    assert!(app.agent_enabled && app.status.is(AppStatus::Normal) && app.enable_api);
    assert_eq!(
        (app.author_name.as_deref(), app.description.as_str(), app.updated_at),
        (Some("Somebody"), "About it", later(-1))
    );
    let runnable = app.runnable().unwrap();
    assert_eq!((runnable.id, runnable.workspace_id, runnable.max_active_requests), (chat, fixture.workspace, Some(3)));
    let Some(Definition::Model(found)) = app.definition else { panic!("a chat has a model") };
    assert_eq!((found.id.0, &found.model, found.prompt_type.as_str()), (config, &model, "simple"));
    assert_eq!((found.pre_prompt.as_str(), found.opening_statement.as_str()), ("Be kind.", "Hello"));
    assert!(found.user_input_form.is_null() && found.file_upload.is_null() && found.chat_prompt_config.is_null());
    let outline = find(chat, AppDetail::Outline).await;
    assert!(outline.agent_enabled && outline.definition.is_none());

    let flow = fixture.app("Flow", "workflow", 1).await;
    let nodes = json!({"nodes": [], "edges": []});
    insert_workflow(&fixture, graph, flow, "2026-04-01 08:00:00", &nodes.to_string()).await;
    fixture.set(flow, &format!("workflow_id = '{graph}', max_active_requests = -1")).await;
    let app = find(flow, AppDetail::Published).await;
    assert_eq!(app.max_active_requests, None);
    let Some(Definition::Workflow(found)) = app.definition else { panic!("a workflow has a graph") };
    assert_eq!((found.id.0, found.graph, found.version.as_str()), (graph, nodes, "2026-04-01 08:00:00"));
    assert_eq!((found.features, found.environment_variables), (json!({}), json!({})));
    let channel = fixture.app("Channel", "channel", 1).await;
    fixture.set(channel, &format!("app_model_config_id = '{config}'")).await;
    let app = find(channel, AppDetail::Published).await;
    assert!(app.runnable().is_none() && app.definition.is_none());
}

async fn insert_workflow(fixture: &AppFixture, id: Uuid, app: AppId, version: &str, graph: &str) {
    let (workspace, alice) = (fixture.workspace, fixture.alice);
    let insert = format!(
        "INSERT INTO workflows (id, tenant_id, app_id, type, version, graph, features, created_by, updated_at) \
         VALUES \
         ('{id}', '{workspace}', '{app}', 'workflow', '{version}', '{graph}', '{{}}', '{alice}', CURRENT_TIMESTAMP)"
    );
    execute(&fixture.sql, &insert).await;
}

async fn find_app_reads_versions_of_the_app_but_no_drafts(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let (one, other) = (fixture.app("One", "workflow", 1).await, fixture.app("Other", "workflow", 1).await);
    let [published, older, draft, others] = [0; 4].map(|_| Uuid::new_v4());
    for (id, app, version) in [(published, one, "2"), (older, one, "1"), (draft, one, "draft"), (others, other, "1")] {
        insert_workflow(&fixture, id, app, version, "{}").await;
    }
    fixture.set(one, &format!("workflow_id = '{published}'")).await;
    let version = async |id| {
        let wanted = AppDetail::Version(WorkflowId(id));
        let (_, app) =
            fixture.sql.find_app(fixture.alice, one, Some(fixture.workspace), wanted, &mut |_| Ok(())).await.unwrap();
        app.unwrap().definition.map(|definition| match definition {
            Definition::Workflow(workflow) => workflow.version,
            Definition::Model(_) => panic!("a workflow has a graph"),
        })
    };
    assert_eq!(version(older).await.as_deref(), Some("1"));
    assert_eq!(version(published).await.as_deref(), Some("2"));
    for id in [draft, others, Uuid::new_v4()] {
        assert_eq!(version(id).await, None);
    }
}
