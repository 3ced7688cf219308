//! The apps that `dev` begins with: each runs, as a new user would run it.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{
    Answer,
    dev::Serving,
    server::{OWNER, PASSWORD},
};

/// Somebody with a token, and the apps that they see.
struct User {
    url: String,
    client: Client,
    token: String,
    apps: BTreeMap<String, String>,
}

async fn ok(request: RequestBuilder) -> Value {
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

impl User {
    async fn of(serving: &Serving) -> Self {
        let client = Client::builder().cookie_store(true).build().unwrap();
        let post = |path: &str, body: Value| client.post(format!("{}{path}", serving.url)).json(&body);
        let codes = ok(post("/openapi/v1/oauth/device/code", json!({"client_id": "difyctl"}))).await;
        let sign_in = post("/console/api/login", json!({"email": OWNER, "password": STANDARD.encode(PASSWORD)}));
        let cookies = Answer::to(sign_in).await;
        let csrf = cookies.cookies().into_iter().find_map(|cookie| cookie.strip_prefix("csrf_token="));
        let csrf = csrf.unwrap().split(';').next().unwrap();
        let approve = post("/openapi/v1/oauth/device/approve", json!({"user_code": codes["user_code"]}));
        ok(approve.header("x-csrf-token", csrf)).await;
        let poll = json!({"client_id": "difyctl", "device_code": codes["device_code"]});
        let token = ok(post("/openapi/v1/oauth/device/token", poll)).await;
        let mut user = Self {
            url: serving.url.clone(),
            token: token["token"].as_str().unwrap().to_owned(),
            apps: BTreeMap::new(),
            client: Client::new(),
        };
        let workspaces = token["workspaces"].as_array().unwrap();
        let demo = workspaces.iter().find(|workspace| workspace["name"] == "Demo Workspace").unwrap();
        let list = format!("{}/openapi/v1/apps?workspace_id={}", user.url, demo["id"].as_str().unwrap());
        let apps = ok(user.client.get(list).bearer_auth(&user.token)).await;
        for app in apps["data"].as_array().unwrap() {
            user.apps.insert(app["name"].as_str().unwrap().to_owned(), app["id"].as_str().unwrap().to_owned());
        }
        user
    }

    async fn run(&self, app: &str, body: &Value) -> Value {
        let url = format!("{}/openapi/v1/apps/{}/run", self.url, self.apps[app]);
        ok(self.client.post(url).bearer_auth(&self.token).json(body)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_every_mode_runs_without_a_key() {
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(data.path());
    let user = User::of(&serving).await;
    assert_eq!(user.apps.len(), 5, "{:?}", user.apps);
    for (app, body, answer) in [
        ("Parrot", json!({"inputs": {}, "query": "Who is a pretty bird?"}), "You said: Who is a pretty bird?"),
        ("Parrot", json!({"inputs": {}, "query": "Reply exactly: Polly wants a cracker."}), "Polly wants a cracker."),
        ("Detective", json!({"inputs": {}, "query": "The butler did it."}), "You said: The butler did it."),
        ("Translator", json!({"inputs": {"text": "Good morning", "language": "German"}}), "[German] Good morning"),
        (
            "Concierge",
            json!({"inputs": {}, "query": "A table for two."}),
            "Hotel Echo, request no. 1: You said: A table for two.",
        ),
    ] {
        assert_eq!(user.run(app, &body).await["answer"], answer, "{app}");
    }
    for (inputs, greeting) in [
        (json!({"name": "Ada"}), "Hello, Ada!"),
        (json!({"name": "Ada", "language": "French", "formal": true}), "Bonjour, Ada !"),
        (json!({"name": "Ada", "language": "German", "formal": false}), "Hallo, Ada!"),
    ] {
        let run = user.run("Greeting", &json!({"inputs": inputs})).await;
        assert_eq!(run["data"]["outputs"], json!({"greeting": greeting}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_concierge_counts_through_a_conversation() {
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(data.path());
    let user = User::of(&serving).await;
    let first = user.run("Concierge", &json!({"inputs": {}, "query": "A taxi."})).await;
    let again = json!({"inputs": {}, "query": "Two taxis.", "conversation_id": first["conversation_id"]});
    let second = user.run("Concierge", &again).await;
    assert_eq!(second["conversation_id"], first["conversation_id"]);
    assert_eq!(second["answer"], "Hotel Echo, request no. 2: You said: Two taxis.");
}
