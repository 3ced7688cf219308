//! Generation 3, difyctl 1.18 and later: commands come from the server's catalog.

use serde_json::{Value, json};

use super::{Difyctl, assert_ended, ids_by_mode, run_body, server};
use crate::support::{
    Answer, Bearer, Stores,
    catalog::{Catalog, HEADER},
    runs::events,
};

on_both_stores!(third_generation_does_everything_it_does, third_generation_recovers_from_a_stale_catalog);

/// The client with its catalog.
struct CatalogClient<'s> {
    client: Difyctl<'s>,
    bearer: Bearer,
    catalog: Catalog,
}

impl<'s> CatalogClient<'s> {
    async fn sign_in(mut client: Difyctl<'s>) -> Self {
        client.sign_in("ann-laptop").await;
        let bearer = Bearer::with_token(client.server, client.token.as_ref().unwrap(), "");
        Self { bearer, catalog: Catalog::fetch(client.server).await, client }
    }

    /// Calls an operation. Fills the workspace where the operation has one. A stale catalog is fetched once more.
    async fn call(&mut self, op: &str, mut input: Value) -> Answer {
        if self.catalog.ops[op]["bind"].get("workspace_id").is_some() && input.get("workspace_id").is_none() {
            input["workspace_id"] = json!(self.client.workspace);
        }
        let answer = Answer::to(self.catalog.request(&self.bearer, op, &input)).await;
        if answer.status != 412 {
            return answer;
        }
        assert_eq!(answer.code(), "catalog_stale");
        self.catalog = Catalog::fetch(self.client.server).await;
        Answer::to(self.catalog.request(&self.bearer, op, &input)).await
    }

    /// Calls an operation that must succeed.
    async fn done(&mut self, op: &str, input: Value) -> Value {
        let answer = self.call(op, input).await;
        assert_eq!(answer.status, 200, "{op}: {}", answer.text);
        answer.json()
    }
}

async fn third_generation_does_everything_it_does(stores: Stores) {
    let server = server(stores).await;
    let client = Difyctl::new(&server, "1.18.0");
    assert_eq!(client.version().await, ("1.18.0".to_owned(), "COMMUNITY".to_owned()));
    let mut client = CatalogClient::sign_in(client).await;
    assert_eq!(client.done("describe.account", json!({})).await["account"]["email"], "demo@example.com");
    assert_eq!(client.done("get.account.session", json!({"limit": 10})).await["total"], 1);
    let workspace = client.done("get.workspace", json!({})).await["data"][1]["id"].clone();
    assert_eq!(client.done("describe.workspace", json!({"id": workspace})).await["id"], workspace);

    let apps = client.done("get.console_app", json!({"limit": 20})).await;
    let ids = ids_by_mode(&apps["data"]);
    for (mode, id) in &ids {
        let description = client.done("describe.console_app", json!({"id": id})).await;
        let mut input = run_body(&description);
        // The schema of the app describes the input of its runs.
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("app.json", description["input_schema"].clone()).unwrap();
        let index = compiler.compile("app.json", &mut schemas).unwrap();
        assert!(schemas.validate(&input, index).is_ok(), "{mode}: {input}");
        input["id"] = json!(id);
        let mode = if mode == "agent-chat" { "chat" } else { mode };
        let op = format!("run.console_app.{}", mode.replace('-', "_"));
        let answer = client.call(&op, input).await;
        assert_eq!(answer.header("content-type"), "text/event-stream", "{op}: {}", answer.text);
        assert_ended(mode, &events(&answer.text));
    }
    members(&mut client).await;
    files(&mut client, &ids["workflow"]).await;
    let mismatch =
        client.call("run.console_app.chat", json!({"id": ids["workflow"], "inputs": {}, "query": "x"})).await;
    assert_eq!(mismatch.outcome(), (422, "app_mode_mismatch".to_owned()));
    assert!(
        !client
            .catalog
            .accepts("run.console_app.workflow", &json!({"id": ids["workflow"], "inputs": {}, "query": "x"}))
    );
    client.client.log_out_twice().await;
    assert_eq!(client.call("describe.account", json!({})).await.outcome(), (401, "bearer_invalid".to_owned()));
}

async fn third_generation_recovers_from_a_stale_catalog(stores: Stores) {
    let server = server(stores).await;
    let mut client = CatalogClient::sign_in(Difyctl::new(&server, "1.18.0")).await;
    let current = client.catalog.clone();
    // The catalog of a release before, whose route of one operation has moved since, and which has a member more.
    client.catalog.version = "00".repeat(32);
    client.catalog.ops["describe.account"]["path"] = json!("/openapi/v1/whoami");
    client.catalog.ops["get.account.session"]["input"]["properties"]["sort"] = json!({"type": "string"});
    client.catalog.ops["get.account.session"]["bind"]["sort"] = json!("query");
    let stale = client.catalog.clone();

    let unchanged = client.call("get.workspace", json!({})).await;
    assert_eq!((unchanged.status, unchanged.header(HEADER)), (200, current.version.as_str()), "it is served");
    assert_eq!(client.catalog.version, stale.version, "and keeps its catalog");
    assert_eq!(client.done("describe.account", json!({})).await["account"]["email"], "demo@example.com");
    assert_eq!((&client.catalog.version, &client.catalog.ops), (&current.version, &current.ops));

    client.catalog = stale;
    let unknown_member = json!({"sort": "name"});
    let answer = Answer::to(client.catalog.request(&client.bearer, "get.account.session", &unknown_member)).await;
    assert_eq!(answer.outcome(), (412, "catalog_stale".to_owned()));
    client.catalog = Catalog::fetch(&server).await;
    assert!(!client.catalog.accepts("get.account.session", &unknown_member), "the client rejects the member itself");
}

async fn members(client: &mut CatalogClient<'_>) {
    let invited = client.call("invite.workspace.member", json!({"email": "g@example.com", "role": "normal"})).await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let member = invited.json()["member_id"].clone();
    client.done("update.workspace.member", json!({"member_id": member, "role": "editor"})).await;
    assert_eq!(client.done("get.workspace.member", json!({"limit": 20})).await["data"][2]["role"], "editor");
    client.done("delete.workspace.member", json!({"member_id": member})).await;
    let pinned = json!({"id": client.client.workspace});
    assert_eq!(client.done("switch.workspace", pinned).await["current"], true);
}

async fn files(client: &mut CatalogClient<'_>, app: &str) {
    let exported = client.done("export.console_app.dsl", json!({"id": app})).await;
    let text = exported["data"].as_str().unwrap().replacen("0.6.0", "0.9.0", 1);
    let pending = client.call("import.console_app.dsl", json!({"mode": "yaml-content", "yaml_content": text})).await;
    assert_eq!(pending.status, 202, "{}", pending.text);
    // The hint has the operation and the input of the next step.
    let hint = pending.json()["hints"][0].clone();
    let confirmed = client.done(hint["op"].as_str().unwrap(), hint["input"].clone()).await;
    assert_eq!(confirmed["status"], "completed");
    let dependencies = client.done("check.console_app.dependency", json!({"id": confirmed["app_id"]})).await;
    assert_eq!(dependencies, json!({"leaked_dependencies": []}));
}
