//! Apps as DSL files: exported, imported and confirmed, with the paths of every generation of difyctl.

mod refused;

use reqwest::Method;
use serde_json::{Value, json};

use dify_openapi::testing::dsl::demo;

use crate::support::{Answer, Bearer, Stores, Team, apps, logs::Logs, server::OWNER};

on_both_stores!(
    exported_app_is_imported_as_a_new_one,
    secrets_are_exported_on_request_only,
    newer_file_is_imported_once_after_its_confirmation,
    app_is_overwritten_by_its_id,
    older_file_is_imported_with_a_warning,
    missing_plugins_are_listed,
    exactly_one_concurrent_confirmation_imports_the_file
);

/// A team with the apps of the demonstration.
async fn start_with(stores: Stores, variables: &[(&str, &str)]) -> Team {
    let team = Team::start(stores, variables).await;
    apps::import_demo(&team.server).await;
    team
}

async fn start(stores: Stores) -> Team {
    start_with(stores, &[]).await
}

impl Team {
    fn imports(&self) -> String {
        format!("/openapi/v1/workspaces/{}/apps/imports", self.workspace)
    }

    async fn import(&self, bearer: &Bearer, body: &Value) -> Answer {
        Answer::to(bearer.request(Method::POST, &self.imports()).json(body)).await
    }

    async fn import_text(&self, text: &str) -> Answer {
        self.import(&self.owner, &json!({"mode": "yaml-content", "yaml_content": text})).await
    }

    /// Confirms on the path of the first generation.
    async fn confirm(&self, bearer: &Bearer, import: &Value) -> Answer {
        let path = format!("{}/{}/confirm", self.imports(), import.as_str().unwrap());
        Answer::to(bearer.request(Method::POST, &path)).await
    }
}

async fn get(bearer: &Bearer, path: &str) -> Answer {
    Answer::to(bearer.request(Method::GET, &format!("/openapi/v1/apps/{path}"))).await
}

/// A file of a version that this service does not write yet.
fn newer() -> String {
    demo::FILES[4].replacen("version: 0.6.0", "version: 0.9.0", 1)
}

async fn exported_app_is_imported_as_a_new_one(stores: Stores) {
    let team = start(stores).await;
    let logs = Logs::capture();
    let listed = team.owner.get(&format!("/openapi/v1/apps?workspace_id={}", team.workspace)).await.1;
    for app in listed["data"].as_array().unwrap() {
        let id = app["id"].as_str().unwrap();
        let exported = get(&team.owner, &format!("{id}/export")).await;
        assert_eq!(exported.status, 200, "{}", exported.text);
        assert_eq!(get(&team.owner, &format!("{id}/dsl?include_secret=false")).await.text, exported.text);
        let text = exported.json()["data"].as_str().unwrap().to_owned();
        assert!(text.ends_with('\n') && text.starts_with("version: \"0.6.0\"\n"), "{text}");
        let body = json!({"mode": "yaml-content", "yaml_content": text, "name": "Copy", "icon": "🦉"});
        let imported = team.import(&team.owner, &body).await;
        assert_eq!((imported.status, &imported.json()["status"]), (200, &json!("completed")), "{}", imported.text);
        let copy = imported.json()["app_id"].as_str().unwrap().to_owned();
        assert_ne!(copy, id);
        assert_eq!(imported.json()["app_mode"], app["mode"]);
        let again = get(&team.owner, &format!("{copy}/dsl")).await.json();
        let name = format!("name: {}\n", app["name"].as_str().unwrap());
        assert!(again["data"].as_str().unwrap().contains("name: Copy\n"), "{again}");
        assert!(text.contains(&name), "{text}");
        assert_eq!(logs.matching(&["app.imported", &copy, OWNER]).len(), 1);
        assert_eq!(logs.matching(&["app.exported", &copy, OWNER]).len(), 1);
    }
    assert_wire!(team.import_text(demo::FILES[0]).await.redacted(), @r#"
    {
      "app_id": "[uuid]",
      "app_mode": "chat",
      "current_dsl_version": "0.6.0",
      "error": "",
      "id": "[uuid]",
      "imported_dsl_version": "0.6.0",
      "status": "completed"
    }
    "#);
}

async fn secrets_are_exported_on_request_only(stores: Stores) {
    let team = start(stores).await;
    let secret = "workflow:\n  environment_variables:\n  - {name: key, value_type: secret, value: s3cret}\n";
    let text = demo::FILES[4].replacen("workflow:\n", secret, 1);
    let text = text.replacen("  environment_variables: []\n", "", 1);
    let imported = team.import_text(&text).await.json();
    let id = imported["app_id"].as_str().unwrap_or_else(|| panic!("{imported}"));
    let exported = async |query: &str| get(&team.owner, &format!("{id}/dsl{query}")).await.text;
    assert!(exported("?include_secret=true").await.contains("s3cret"));
    assert!(!exported("?include_secret=false").await.contains("s3cret"));
    assert!(!exported("").await.contains("s3cret"));
}

async fn newer_file_is_imported_once_after_its_confirmation(stores: Stores) {
    let in_process = matches!(stores, Stores::Sqlite);
    let team = start(stores).await;
    team.set_role_of_member("editor").await;
    let pending = team.import_text(&newer()).await;
    assert_eq!(pending.status, 202, "{}", pending.text);
    let id = pending.json()["id"].clone();
    assert_wire!(pending.redacted(), @r#"
    {
      "app_id": null,
      "app_mode": null,
      "current_dsl_version": "0.6.0",
      "error": "",
      "id": "[uuid]",
      "imported_dsl_version": "0.9.0",
      "status": "pending"
    }
    "#);
    let other = team.confirm(&team.member, &id).await;
    assert_eq!((other.status, &other.json()["status"]), (400, &json!("failed")), "another account's");
    let confirmed = team.confirm(&team.owner, &id).await;
    assert_eq!((confirmed.status, &confirmed.json()["status"]), (200, &json!("completed")), "{}", confirmed.text);
    assert_eq!(confirmed.json()["imported_dsl_version"], "0.9.0");
    let again = team.confirm(&team.owner, &id).await;
    assert_eq!((again.status, &again.json()["status"]), (400, &json!("failed")), "{}", again.text);

    let moved = team.import_text(&newer()).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{}/{moved}:confirm", team.imports());
    let confirmed = Answer::to(team.owner.request(Method::POST, &path).json(&json!({}))).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    if in_process {
        let late = team.import_text(&newer()).await.json()["id"].clone();
        team.server.advance(601);
        assert_eq!(team.confirm(&team.owner, &late).await.status, 400);
    }
}

async fn app_is_overwritten_by_its_id(stores: Stores) {
    let team = start(stores).await;
    let first = team.import_text(demo::FILES[4]).await.json();
    let body = json!({
        "mode": "yaml-content", "yaml_content": demo::FILES[4], "app_id": first["app_id"], "description": "Changed",
    });
    let second = team.import(&team.owner, &body).await;
    assert_eq!((second.status, &second.json()["app_id"]), (200, &first["app_id"]), "{}", second.text);
    let described = get(&team.owner, first["app_id"].as_str().unwrap()).await.json();
    assert_eq!(described["info"]["description"], "Changed");
}

async fn older_file_is_imported_with_a_warning(stores: Stores) {
    let team = start(stores).await;
    let older = demo::FILES[0].replacen("version: 0.6.0", "version: 0.3.1", 1);
    let imported = team.import_text(&older).await;
    assert_eq!((imported.status, &imported.json()["status"]), (200, &json!("completed-with-warnings")));
    assert_eq!(imported.json()["imported_dsl_version"], "0.3.1");
}

async fn missing_plugins_are_listed(stores: Stores) {
    let team = start(stores).await;
    let tools = "  agent_mode: {enabled: true, strategy: react, tools: [{enabled: true, provider_type: builtin, \
         provider_id: acme/web/web, tool_name: search, plugin_unique_identifier: 'acme/web:1.0.0@abc'}]}\n";
    let file = format!(
        "kind: app\napp: {{name: B, mode: agent-chat}}\nmodel_config:\n{tools}  model: {{provider: echo, name: echo}}\n"
    );
    let imported = team.import_text(&file).await.json();
    assert_eq!(imported["status"], "completed-with-warnings", "{imported}");
    let id = imported["app_id"].as_str().unwrap();
    let found = get(&team.owner, &format!("{id}/dependencies:check")).await;
    assert_eq!(get(&team.owner, &format!("{id}/check-dependencies")).await.text, found.text);
    assert_wire!(found.json(), @r#"
    {
      "leaked_dependencies": [
        {
          "current_identifier": null,
          "type": "marketplace",
          "value": {
            "marketplace_plugin_unique_identifier": "acme/web:1.0.0@abc",
            "version": null
          }
        }
      ]
    }
    "#);
    let parrot = team.import_text(demo::FILES[0]).await.json();
    let none = get(&team.owner, &format!("{}/dependencies:check", parrot["app_id"].as_str().unwrap())).await;
    assert_eq!(none.json(), json!({"leaked_dependencies": []}));
}

async fn exactly_one_concurrent_confirmation_imports_the_file(stores: Stores) {
    let team = start(stores).await;
    for round in 0..10 {
        let id = team.import_text(&newer()).await.json()["id"].clone();
        let confirmations: Vec<_> = (0..8)
            .map(|_| {
                let path = format!("{}/{}:confirm", team.imports(), id.as_str().unwrap());
                tokio::spawn(Answer::to(team.owner.request(Method::POST, &path).json(&json!({}))))
            })
            .collect();
        let (mut imported, mut unavailable) = (0, false);
        for confirmation in confirmations {
            match confirmation.await.unwrap().status {
                200 => imported += 1,
                400 => {}
                status => {
                    assert_eq!(status, 503, "round {round}");
                    unavailable = true;
                }
            }
        }
        // An import that has failed on a busy machine waits again.
        if unavailable {
            imported += usize::from(team.confirm(&team.owner, &id).await.status == 200);
        }
        assert_eq!(imported, 1, "round {round}");
    }
}
