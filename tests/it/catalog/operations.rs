//! Every operation of the catalog is called as the catalog describes it.

use dify_openapi::testing::{domain::WorkspaceRole, dsl::demo, pipeline::Policy, ports::Clock as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    catalog::Catalog,
    command::succeeded,
    database::external_token,
    forms::{asking_app, paused},
    runs::{answer, blocking, end, graph_app, greeting, prompt_app},
    server::{OWNER, no_limits},
};

async fn server(stores: Stores) -> TestServer {
    let limits = no_limits();
    TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", limits.as_str()), ("ENTERPRISE_ENABLED", "true")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_accept_their_examples_and_reject_unknown_members() {
    let catalog = Catalog::fetch(&server(Stores::Sqlite).await).await;
    for (id, op) in &catalog.ops {
        let members = op["input"]["properties"].as_object().unwrap();
        assert_eq!(
            op["bind"].as_object().unwrap().keys().collect::<Vec<_>>(),
            members.keys().collect::<Vec<_>>(),
            "{id}"
        );
        assert!(!op["input"].to_string().contains("$ref"), "{id}");
        let examples = op["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{id}");
        for example in examples {
            let mut input = example["input"].clone();
            assert!(catalog.accepts(id, &input), "{id}: {input}");
            input["unheard_of"] = json!(1);
            assert!(!catalog.accepts(id, &input), "{id}: {input}");
        }
        for name in op["input"]["required"].as_array().unwrap() {
            let mut input = examples[0]["input"].clone();
            input.as_object_mut().unwrap().remove(name.as_str().unwrap());
            assert!(!catalog.accepts(id, &input), "{id} without {name}");
        }
        let route = (op["method"].as_str().unwrap(), op["path"].as_str().unwrap());
        let mut policies = Policy::all().filter_map(|policy| policy.http).map(|http| (http.verb, http.path));
        assert!(policies.any(|known| known == route), "{id}: {route:?}");
        let kind = op["kind"].as_str().unwrap();
        assert!(["object", "list", "sse", "text", "file"].contains(&kind), "{id}: {kind}");
        assert!(op["internal"].is_boolean() && op["deprecated"].is_boolean() && op["tags"].is_array(), "{id}");
        assert!(!op["summary"].as_str().unwrap().contains('\n'), "{id}");
    }
}

/// The objects that examples refer to.
struct Objects {
    workspace: String,
    workflow: String,
    chat: String,
    advanced_chat: String,
    completion: String,
    permitted: String,
    asking: String,
    /// The token of the form of a run of `asking`.
    form_token: String,
    /// A finished run of `workflow`.
    run: String,
    /// Its task.
    task: String,
    /// A session that may be ended.
    session: String,
    /// A member that may be removed, and one that stays.
    members: [String; 2],
    /// An import that waits for its confirmation.
    import: String,
}

impl Objects {
    async fn create(server: &TestServer) -> Self {
        let permitted = prompt_app(server, "chat").await;
        succeeded(server.command(&["app", "access-mode", "set", &permitted, "sso_verified"], ""));
        let (asking, laptop) =
            (asking_app(server, "workflow").await, Bearer::sign_in(server, OWNER, "old laptop").await);
        succeeded(server.command(&["app", "access-mode", "set", &asking, "public"], ""));
        let workflow = graph_app(server, "workflow", &[greeting(), end()]).await;
        succeeded(server.command(&["app", "access-mode", "set", &workflow, "public"], ""));
        let runner = Bearer::sign_in(server, OWNER, "runner").await;
        let finished = blocking(&runner, &workflow, json!({"inputs": {"name": "Ann"}})).await.json();
        let id = |name: &str| finished[name].as_str().unwrap().to_owned();
        let objects = Self {
            form_token: paused(&laptop, &asking).await.token,
            asking,
            run: id("workflow_run_id"),
            task: id("task_id"),
            workspace: apps::shared_workspace(server).await,
            workflow,
            chat: prompt_app(server, "chat").await,
            advanced_chat: graph_app(server, "advanced-chat", &[greeting(), answer()]).await,
            completion: prompt_app(server, "completion").await,
            permitted,
            session: laptop.token_id,
            members: [new_member(server, "hopper@example.com").await, new_member(server, "ada@example.com").await],
            import: pending_import(server).await,
        };
        for app in [&objects.chat, &objects.advanced_chat, &objects.completion] {
            succeeded(server.command(&["app", "access-mode", "set", app, "public"], ""));
        }
        apps::set(server, &objects.chat, "name = 'Translator'").await;
        objects
    }

    /// The example with ids of these objects, and with the input that their forms require.
    fn input(&self, op: &str, example: &Value) -> Value {
        let mut input = example.clone();
        let members = input.as_object_mut().unwrap();
        if let Some(id) = members.get_mut("id").filter(|id| *id != "Translator") {
            *id = json!(match op {
                "delete.account.session" => &self.session,
                "describe.workspace" | "switch.workspace" => &self.workspace,
                "run.console_app.workflow" | "stop.run" | "get.run.event" => &self.workflow,
                "run.console_app.advanced_chat" => &self.advanced_chat,
                "run.console_app.completion" => &self.completion,
                "get.human_input_form" | "submit.human_input_form" => &self.asking,
                "describe.permitted_external_app" => &self.permitted,
                _ => &self.chat,
            });
        }
        for (name, id) in [("run_id", &self.run), ("task_id", &self.task)] {
            if let Some(member) = members.get_mut(name) {
                *member = json!(id);
            }
        }
        if let Some(workspace) = members.get_mut("workspace_id") {
            *workspace = json!(self.workspace);
        }
        if let Some(token) = members.get_mut("token") {
            *token = json!(self.form_token);
        }
        if let Some(import) = members.get_mut("import_id") {
            *import = json!(self.import);
        }
        if let Some(member) = members.get_mut("member_id") {
            let [removed, kept] = &self.members;
            *member = json!(if op == "delete.workspace.member" { removed } else { kept });
        }
        if let Some(inputs) = members.get_mut("inputs") {
            *inputs = json!({"name": "Ann", "tone": "warm"});
        }
        input
    }
}

/// An account that is a member of the shared workspace.
async fn new_member(server: &TestServer, email: &str) -> String {
    let (sql, now) = (server.sql(), server.clock.now());
    let id = sql.create_account(email, "Member", None, now).await.unwrap();
    let workspace = apps::shared_workspace(server).await.parse().unwrap();
    sql.add_member(workspace, email, WorkspaceRole::Normal, now).await.unwrap();
    id.to_string()
}

/// An import of a newer file by the owner.
async fn pending_import(server: &TestServer) -> String {
    let path = format!("/openapi/v1/workspaces/{}/apps/imports", apps::shared_workspace(server).await);
    let newer = demo::FILES[4].replacen("version: 0.6.0", "version: 0.9.0", 1);
    let body = json!({"mode": "yaml-content", "yaml_content": newer});
    let owner = Bearer::sign_in(server, OWNER, "older laptop").await;
    let pending = Answer::to(owner.request(Method::POST, &path).json(&body)).await;
    assert_eq!(pending.status, 202, "{}", pending.text);
    pending.json()["id"].as_str().unwrap().to_owned()
}

on_both_stores!(every_operation_is_called_through_its_method_path_and_bind);

async fn every_operation_is_called_through_its_method_path_and_bind(stores: Stores) {
    let server = server(stores).await;
    let catalog = Catalog::fetch(&server).await;
    let objects = Objects::create(&server).await;
    let account = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (token, id) = external_token(&server, "eve@idp.example", "laptop").await;
    let external = Bearer::with_token(&server, &token, &id);
    for (id, op) in &catalog.ops {
        let is_external = op["path"].as_str().unwrap().contains("permitted-external-apps");
        let bearer = if is_external { &external } else { &account };
        for example in op["examples"].as_array().unwrap() {
            let input = objects.input(id, &example["input"]);
            let response = Answer::to(catalog.request(bearer, id, &input)).await;
            assert!(response.status < 300, "{id} {input}: {}", response.text);
            let kind = match response.header("content-type") {
                "text/event-stream" => "sse",
                _ if response.json()["data"].is_array() => "list",
                _ => "object",
            };
            assert_eq!(kind, op["kind"], "{id}: {}", response.text);
        }
    }
}
