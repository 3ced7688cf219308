//! A new user of `dev` with a token and the demo apps.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::{
    Answer,
    dev_server::DevServer,
    server::{OWNER, PASSWORD},
};

/// A signed-in user and the apps in the user's workspace.
pub struct DemoUser {
    /// The server's URL.
    pub url: String,
    client: Client,
    pub token: String,
    /// The workspace of the demo apps.
    pub workspace: String,
    /// App ids by name.
    pub apps: BTreeMap<String, String>,
}

async fn ok(request: RequestBuilder) -> Value {
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

impl DemoUser {
    /// Signs the owner in by the device flow.
    pub async fn sign_in(server: &DevServer) -> Self {
        let client = Client::builder().cookie_store(true).build().unwrap();
        let post = |path: &str, body: Value| client.post(format!("{}{path}", server.url)).json(&body);
        let codes = ok(post("/openapi/v1/oauth/device/code", json!({"client_id": "difyctl"}))).await;
        let sign_in = post("/console/api/login", json!({"email": OWNER, "password": STANDARD.encode(PASSWORD)}));
        let cookies = Answer::to(sign_in).await;
        let csrf = cookies.cookies().into_iter().find_map(|cookie| cookie.strip_prefix("csrf_token="));
        let csrf = csrf.unwrap().split(';').next().unwrap();
        let approve = post("/openapi/v1/oauth/device/approve", json!({"user_code": codes["user_code"]}));
        ok(approve.header("x-csrf-token", csrf)).await;
        let poll = json!({"client_id": "difyctl", "device_code": codes["device_code"]});
        let token = ok(post("/openapi/v1/oauth/device/token", poll)).await;
        let workspaces = token["workspaces"].as_array().unwrap();
        let demo = workspaces.iter().find(|workspace| workspace["name"] == "Demo Workspace").unwrap();
        let mut user = Self {
            url: server.url.clone(),
            token: token["token"].as_str().unwrap().to_owned(),
            workspace: demo["id"].as_str().unwrap().to_owned(),
            apps: BTreeMap::new(),
            client: Client::new(),
        };
        let list = format!("{}/openapi/v1/apps?workspace_id={}", user.url, user.workspace);
        let apps = ok(user.client.get(list).bearer_auth(&user.token)).await;
        for app in apps["data"].as_array().unwrap() {
            user.apps.insert(app["name"].as_str().unwrap().to_owned(), app["id"].as_str().unwrap().to_owned());
        }
        user
    }

    /// The body of a blocking run.
    pub async fn run(&self, app: &str, body: &Value) -> Value {
        ok(self.request(app, body)).await
    }

    /// A request to run an app.
    pub fn request(&self, app: &str, body: &Value) -> RequestBuilder {
        let url = format!("{}/openapi/v1/apps/{}/run", self.url, self.apps[app]);
        self.client.post(url).bearer_auth(&self.token).json(body)
    }
}
