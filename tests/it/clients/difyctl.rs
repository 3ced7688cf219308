//! difyctl in its three generations, written from `docs/contract/contract-clients.md`: each signs in through the pages,
//! shows the account, lists and describes, runs an app of every mode, meets errors, and logs out twice.

mod first;
mod pages;
mod second;
mod third;

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{
    Answer, Stores, TestServer, apps,
    cli_device::{CODE, TOKEN},
    server::{OWNER, PASSWORD},
};

const API: &str = "/openapi/v1";

/// A client with its user agent and, after the sign-in, its token.
struct Difyctl<'s> {
    server: &'s TestServer,
    http: reqwest::Client,
    token: Option<String>,
    /// The workspace that commands use.
    workspace: String,
}

impl<'s> Difyctl<'s> {
    fn new(server: &'s TestServer, version: &str) -> Self {
        let agent = format!("difyctl/{version} (linux; x64; stable)");
        let http = reqwest::Client::builder().user_agent(agent).build().unwrap();
        Self { server, http, token: None, workspace: String::new() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.server.at(&format!("{API}{path}")));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// GET, which must succeed.
    async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(Method::POST, path).json(body)).await
    }

    /// `_version`: the version and the edition.
    async fn version(&self) -> (String, String) {
        let found = self.read("/_version").await;
        (found["version"].as_str().unwrap().to_owned(), found["edition"].as_str().unwrap().to_owned())
    }

    /// Signs in by the device flow. The person approves in the pages. Returns the token answer.
    async fn sign_in(&mut self, label: &str) -> Value {
        let start = json!({"client_id": "difyctl", "device_label": label});
        let codes = Answer::to(self.http.post(self.server.at(CODE)).json(&start)).await;
        assert_eq!(codes.status, 200, "{}", codes.text);
        let codes = codes.json();
        let poll = json!({"client_id": "difyctl", "device_code": codes["device_code"]});
        let poll = || Answer::to(self.http.post(self.server.at(TOKEN)).json(&poll));
        assert_eq!(poll().await.outcome(), (400, "authorization_pending".to_owned()));
        pages::approve(self.server, codes["user_code"].as_str().unwrap(), OWNER, PASSWORD).await;
        self.server.advance(codes["interval"].as_i64().unwrap() + 1);
        let token = poll().await;
        assert_eq!(token.status, 200, "{}", token.text);
        let token = token.json();
        for member in ["id", "email", "name"] {
            assert!(token["account"][member].is_string(), "{token}");
        }
        self.token = Some(token["token"].as_str().unwrap().to_owned());
        token["default_workspace_id"].as_str().unwrap().clone_into(&mut self.workspace);
        token
    }

    /// Ends the session. The second time the token is dead, which is exit code 4 of the client.
    async fn log_out_twice(&self) {
        let end = || Answer::to(self.request(Method::DELETE, "/account/sessions/self"));
        assert_eq!(end().await.json(), json!({"status": "revoked"}));
        assert_eq!(end().await.outcome(), (401, "bearer_invalid".to_owned()));
    }
}

/// A server with a demo app of each mode in the owner's workspace.
async fn server(stores: Stores) -> TestServer {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=0")]).await;
    apps::import_demo(&server).await;
    server
}

/// The ids of apps in a list by mode.
fn ids_by_mode(apps: &Value) -> BTreeMap<String, String> {
    let apps = apps.as_array().unwrap().iter();
    let by_mode = apps.map(|app| {
        let text = |member: &str| app[member].as_str().unwrap().to_owned();
        (text("mode"), text("id"))
    });
    let by_mode: BTreeMap<_, _> = by_mode.collect();
    assert_eq!(by_mode.len(), 5, "{by_mode:?}");
    by_mode
}

/// The body of a run of a described app: a value for each input that its schema requires.
fn run_body(description: &Value) -> Value {
    let schema = &description["input_schema"];
    let inputs = &schema["properties"]["inputs"];
    let required = inputs["required"].as_array().cloned().unwrap_or_default();
    let values = required.iter().map(|name| {
        let property = &inputs["properties"][name.as_str().unwrap()];
        let value = match property["enum"].as_array() {
            Some(values) => values[0].clone(),
            None if property["type"] == "number" => json!(3),
            None => json!("Ann"),
        };
        (name.as_str().unwrap().to_owned(), value)
    });
    let mut body = json!({"inputs": values.collect::<serde_json::Map<_, _>>()});
    if schema["properties"]["query"].is_object() {
        body["query"] = json!("hello");
    }
    body
}

/// Checks that a stream has the end of a run of this mode.
fn assert_ended(mode: &str, events: &[Value]) {
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let has_graph = matches!(mode, "workflow" | "advanced-chat");
    assert_eq!(
        *names.last().unwrap(),
        if has_graph { "workflow_finished" } else { "message_end" },
        "{mode}: {names:?}"
    );
    assert_eq!(names.contains(&"message_end"), mode != "workflow", "{mode}: {names:?}");
}
