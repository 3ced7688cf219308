//! Apps as rows in the database, like those that Dify's editor writes.

use std::fmt::Write as _;

use chrono::TimeDelta;
use dify_openapi::testing::{
    domain::{ImportTarget, WorkspaceId},
    dsl,
    ports::Clock as _,
};
use serde_json::Value;
use uuid::Uuid;

use super::{TestServer, database};

/// The id of the workspace with this name.
pub async fn workspace(server: &TestServer, name: &str) -> String {
    database::text(server, &format!("SELECT CAST(id AS text) FROM tenants WHERE name = '{name}'")).await.unwrap()
}

/// The id of the workspace that the owner and the member have joined.
pub async fn shared_workspace(server: &TestServer) -> String {
    workspace(server, "Demo Workspace").await
}

/// Inserts an app of the owner that was changed `age` seconds ago. Returns its id.
pub async fn insert(server: &TestServer, workspace: &str, name: &str, mode: &str, age: i64) -> String {
    let id = Uuid::new_v4().to_string();
    let owner = database::account_id(server, super::server::OWNER).await;
    let updated_at = (server.clock.now() - TimeDelta::seconds(age)).format("%F %T");
    let name = quoted(server, name);
    let statement = format!(
        "INSERT INTO apps (id, tenant_id, name, mode, description, enable_site, enable_api, created_by, updated_at) \
         VALUES ('{id}', '{workspace}', {name}, '{mode}', 'What it is for', TRUE, TRUE, '{owner}', \
         '{updated_at}')"
    );
    assert_eq!(database::execute(server, &statement).await, 1);
    id
}

/// Updates columns of an app; `what` is the list of SQL assignments.
pub async fn set(server: &TestServer, app: &str, what: &str) {
    assert_eq!(database::execute(server, &format!("UPDATE apps SET {what} WHERE id = '{app}'")).await, 1);
}

/// Gives an app a model configuration with these columns.
pub async fn configure(server: &TestServer, app: &str, columns: &[(&str, Value)]) {
    let id = Uuid::new_v4();
    let (mut names, mut values) = (String::new(), String::new());
    for (name, value) in columns {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        write!(names, ", {name}").unwrap();
        write!(values, ", {}", quoted(server, &text)).unwrap();
    }
    let statement = format!("INSERT INTO app_model_configs (id, app_id{names}) VALUES ('{id}', '{app}'{values})");
    assert_eq!(database::execute(server, &statement).await, 1);
    set(server, app, &format!("app_model_config_id = '{id}'")).await;
}

/// Changes a column of an app's model configuration.
pub async fn configure_more(server: &TestServer, app: &str, column: &str, value: &Value) {
    let value = quoted(server, &value.to_string());
    let statement = format!("UPDATE app_model_configs SET {column} = {value} WHERE app_id = '{app}'");
    assert!(database::execute(server, &statement).await > 0);
}

/// Publishes a graph. Returns the id of the version.
pub async fn publish(server: &TestServer, app: &str, graph: &Value, features: &Value) -> String {
    let id = Uuid::new_v4().to_string();
    let (graph, features) = (quoted(server, &graph.to_string()), quoted(server, &features.to_string()));
    let statement = format!(
        "INSERT INTO workflows (id, tenant_id, app_id, type, version, graph, features, created_by, updated_at) \
         SELECT '{id}', tenant_id, id, 'workflow', '2026-04-01 08:00:00', {graph}, {features}, created_by, updated_at \
         FROM apps WHERE id = '{app}'"
    );
    assert_eq!(database::execute(server, &statement).await, 1);
    set(server, app, &format!("workflow_id = '{id}'")).await;
    id
}

/// A graph of one start node with these form variables.
pub fn form_graph(variables: &Value) -> Value {
    serde_json::json!({"nodes": [{"id": "start", "data": {"type": "start", "variables": variables}}], "edges": []})
}

/// Creates a tag and binds it to apps.
pub async fn tag(server: &TestServer, workspace: &str, name: &str, apps: &[&str]) {
    let id = Uuid::new_v4();
    let owner = database::account_id(server, super::server::OWNER).await;
    let tag = format!(
        "INSERT INTO tags (id, tenant_id, type, name, created_by) \
         VALUES ('{id}', '{workspace}', 'app', '{name}', '{owner}')"
    );
    database::execute(server, &tag).await;
    for app in apps {
        let binding = format!(
            "INSERT INTO tag_bindings (id, tenant_id, tag_id, target_id, created_by) \
             VALUES ('{}', '{workspace}', '{id}', '{app}', '{owner}')",
            Uuid::new_v4()
        );
        database::execute(server, &binding).await;
    }
}

/// Imports the demo apps of `dev` into the shared workspace. Returns the id of the workspace.
pub async fn import_demo(server: &TestServer) -> String {
    let workspace = shared_workspace(server).await;
    let id = WorkspaceId(workspace.parse().unwrap());
    for (file, age) in dsl::demo::FILES.into_iter().zip(0..) {
        let app = dsl::read(file).unwrap().app;
        let at = server.clock.now() - TimeDelta::seconds(age);
        server.sql().import_app(id, &app, ImportTarget::Named, at).await.unwrap();
    }
    workspace
}

/// An SQL string literal for the database of this server.
fn quoted(server: &TestServer, text: &str) -> String {
    let text = text.replace('\'', "''");
    if server.variable("DATABASE_URL").starts_with("mysql:") {
        format!("'{}'", text.replace('\\', r"\\"))
    } else {
        format!("'{text}'")
    }
}
