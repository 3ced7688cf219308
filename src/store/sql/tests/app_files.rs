//! Import and export of apps.

use serde_json::{Value, json};

use super::*;
use crate::domain::{
    app::{
        AppMode, Definition,
        file::{AppBody, AppFile, CONFIG_MEMBERS, GraphBody, ImportTarget, MemberType},
        stored_app::AppDetail,
    },
    error::{Code, Result},
    id::{AppId, WorkspaceId},
};

conformance!(
    exported_app_equals_the_imported_one,
    import_overwrites_and_publishes_the_app_of_the_same_name,
    concurrent_imports_create_one_app,
    ambiguous_or_missing_targets_are_rejected_without_changes,
    app_of_several_megabytes_is_stored,
    secrets_are_encrypted_at_rest,
    secrets_open_with_previous_keys_only,
);

pub(super) async fn workspace(sql: &SqlStore) -> WorkspaceId {
    sql.migrate_up(false).await.unwrap();
    sql.create_account("ada@example.com", "Ada", None, start()).await.unwrap();
    sql.create_workspace("W", "ada@example.com", start()).await.unwrap()
}

/// An app with a value in every member.
pub(super) fn file(mode: AppMode) -> AppFile {
    let body = if mode.has_graph() {
        AppBody::Graph(GraphBody {
            graph: json!({
                "nodes": [{"id": "a", "data": {"type": "start", "z": 1, "a": [1.5, null, "ä🦜"]}}],
                "edges": [],
            }),
            features: json!({"opening_statement": "Hi", "file_upload": {"enabled": false}}),
            environment_variables: vec![
                json!({"name": "z", "value_type": "secret", "value": "s"}),
                json!({"name": "a", "value_type": "number", "value": 2}),
            ],
            conversation_variables: vec![json!({"name": "n", "value_type": "array[string]", "value": []})],
        })
    } else {
        let value = |shape| match shape {
            MemberType::Text => json!("Hi ä🦜"),
            MemberType::Object => json!({"z": true, "a": {"b": [1, "2"]}}),
            MemberType::List => json!([{"text-input": {"variable": "v"}}, "x"]),
        };
        AppBody::Model(CONFIG_MEMBERS.into_iter().map(|(name, shape)| (name.to_owned(), value(shape))).collect())
    };
    AppFile {
        name: format!("An app, {}", mode.as_str()),
        mode,
        description: "What it does\nin two lines".to_owned(),
        icon: Some("🦜".to_owned()),
        icon_type: Some("emoji".to_owned()),
        icon_background: Some("#FFEAD5".to_owned()),
        use_icon_as_answer_icon: true,
        body,
    }
}

async fn exported_app_equals_the_imported_one(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    for (mode, n) in AppMode::ALL.iter().zip(0..) {
        let full = file(*mode);
        let imported = sql.import_app(workspace, &full, ImportTarget::Named, later(n)).await.unwrap();
        assert!(!imported.overwritten);
        assert_eq!(sql.export_app(imported.id).await.unwrap(), full);

        let mut bare = full;
        (bare.icon, bare.icon_type, bare.icon_background) = (None, None, None);
        match &mut bare.body {
            AppBody::Model(config) => config.retain(|name, _| ["model", "prompt_type"].contains(&name.as_str())),
            AppBody::Graph(GraphBody { environment_variables, conversation_variables, .. }) => {
                environment_variables.clear();
                conversation_variables.clear();
            }
        }
        let imported = sql.import_app(workspace, &bare, ImportTarget::App(imported.id), later(n)).await.unwrap();
        assert!(imported.overwritten);
        assert_eq!(sql.export_app(imported.id).await.unwrap(), bare);
    }
    let listed = sql.list_workspace_apps(workspace).await.unwrap();
    let modes: Vec<_> = listed.iter().map(|app| app.mode.as_str()).collect();
    assert_eq!(modes, ["advanced-chat", "agent-chat", "chat", "completion", "workflow"]);
    assert!(listed.iter().all(|app| app.published));
}

/// The environment variables of an app, as a run reads them.
async fn environment(sql: &SqlStore, app: AppId) -> Result<Value> {
    let account = sql.find_login("ada@example.com").await.unwrap().unwrap().account.id;
    let found = sql.find_app(account, app, None, AppDetail::Run, &mut |_| Ok(())).await?.1.unwrap();
    let Some(Definition::Workflow(workflow)) = found.definition else { panic!("no graph") };
    Ok(workflow.environment_variables)
}

async fn secrets_are_encrypted_at_rest(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let mut app = file(AppMode::Workflow);
    let AppBody::Graph(graph) = &mut app.body else { panic!("no graph") };
    graph.environment_variables = vec![
        json!({"name": "key", "value_type": "secret", "value": "hunter2"}),
        json!({"name": "empty", "value_type": "secret", "value": ""}),
        json!({"name": "text", "value_type": "string", "value": "visible"}),
    ];
    let imported = sql.import_app(workspace, &app, ImportTarget::Named, start()).await.unwrap();
    assert_eq!(count(&sql, "workflows WHERE environment_variables LIKE '%visible%'").await, 1);
    assert_eq!(count(&sql, "workflows WHERE environment_variables LIKE '%hunter2%'").await, 0);
    assert_eq!(sql.export_app(imported.id).await.unwrap(), app);
    let variables = environment(&sql, imported.id).await.unwrap();
    assert_eq!(variables["key"]["value"], "hunter2");
    assert_eq!((&variables["empty"]["value"], &variables["text"]["value"]), (&json!(""), &json!("visible")));

    // A secret that was stored before encryption is read as it is.
    let old = r#"{"key": {"name": "key", "value_type": "secret", "value": "old"}}"#;
    execute(&sql, &format!("UPDATE workflows SET environment_variables = '{old}'")).await;
    assert_eq!(environment(&sql, imported.id).await.unwrap()["key"]["value"], "old");
}

async fn secrets_open_with_previous_keys_only(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let imported = sql.import_app(workspace, &file(AppMode::Workflow), ImportTarget::Named, start()).await.unwrap();
    let with_keys = |previous: Vec<Secret>| {
        let keys = Arc::new(KeyRing::new(Secret::new("the next secret of the tests"), previous));
        SqlStore { keys, ..sql.clone() }
    };
    let rotated = with_keys(vec![Secret::new("an older one"), Secret::new("a secret of the tests")]);
    assert_eq!(environment(&rotated, imported.id).await.unwrap()["z"]["value"], "s");
    let stranger = with_keys(Vec::new());
    assert_eq!(environment(&stranger, imported.id).await.unwrap_err().code(), Code::AppUnavailable);
    assert_eq!(stranger.export_app(imported.id).await.unwrap_err().code(), Code::AppUnavailable);
}

async fn import_overwrites_and_publishes_the_app_of_the_same_name(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    for mode in [AppMode::Chat, AppMode::Workflow] {
        let mut app = file(mode);
        let first = sql.import_app(workspace, &app, ImportTarget::Named, start()).await.unwrap();
        app.description = "another".to_owned();
        match &mut app.body {
            AppBody::Model(config) => {
                config.insert("pre_prompt".to_owned(), json!("another"));
                config.shift_remove("opening_statement");
            }
            AppBody::Graph(GraphBody { features, .. }) => *features = json!({"opening_statement": "another"}),
        }
        let second = sql.import_app(workspace, &app, ImportTarget::Named, later(1)).await.unwrap();
        assert_eq!((second.id, second.overwritten), (first.id, true));
        assert_eq!(sql.export_app(first.id).await.unwrap(), app);
        let third = sql.import_app(workspace, &app, ImportTarget::New, later(2)).await.unwrap();
        assert_ne!(third.id, first.id);
        // Two apps have the name now.
        let error = sql.import_app(workspace, &app, ImportTarget::Named, later(3)).await.unwrap_err();
        assert!(error.hint().unwrap().contains("--app"), "{error:?}");
        assert!(sql.import_app(workspace, &app, ImportTarget::App(third.id), later(4)).await.unwrap().overwritten);
        assert_eq!(sql.find_apps_of_name(&app.name).await.unwrap().len(), 2);
    }
}

async fn concurrent_imports_create_one_app(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let imports = (0..12).map(|n| {
        let sql = sql.clone();
        tokio::spawn(async move {
            sql.import_app(workspace, &file(AppMode::Workflow), ImportTarget::Named, later(n)).await.unwrap()
        })
    });
    let done: Vec<_> = futures_util::future::join_all(imports).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().filter(|imported| !imported.overwritten).count(), 1);
    assert_eq!(sql.list_workspace_apps(workspace).await.unwrap().len(), 1);
}

async fn ambiguous_or_missing_targets_are_rejected_without_changes(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let elsewhere = sql.create_workspace("V", "ada@example.com", start()).await.unwrap();
    let id = sql.import_app(workspace, &file(AppMode::Chat), ImportTarget::Named, start()).await.unwrap().id;
    let mut other_mode = file(AppMode::Workflow);
    other_mode.name = file(AppMode::Chat).name;
    let nowhere = AppId(Uuid::new_v4());
    for (workspace, file, target, code) in [
        (workspace, &other_mode, ImportTarget::Named, Code::InvalidParam),
        (workspace, &other_mode, ImportTarget::App(id), Code::InvalidParam),
        (workspace, &file(AppMode::Chat), ImportTarget::App(nowhere), Code::NotFound),
        (elsewhere, &file(AppMode::Chat), ImportTarget::App(id), Code::NotFound),
        (WorkspaceId(Uuid::new_v4()), &file(AppMode::Chat), ImportTarget::New, Code::NotFound),
    ] {
        assert_eq!(sql.import_app(workspace, file, target, later(1)).await.unwrap_err().code(), code);
    }
    assert_eq!(sql.export_app(id).await.unwrap(), file(AppMode::Chat));
    assert_eq!(sql.list_workspace_apps(workspace).await.unwrap().len(), 1);
    assert!(sql.list_workspace_apps(elsewhere).await.unwrap().is_empty());
    assert_eq!(sql.export_app(nowhere).await.unwrap_err().code(), Code::NotFound);
}

async fn app_of_several_megabytes_is_stored(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let mut app = file(AppMode::Workflow);
    let AppBody::Graph(GraphBody { features, .. }) = &mut app.body else { panic!("a workflow has a graph") };
    *features = json!({"long": "ä".repeat(3 << 20)});
    let id = sql.import_app(workspace, &app, ImportTarget::Named, start()).await.unwrap().id;
    assert!(sql.export_app(id).await.unwrap() == app);
}
