//! A client with an address of its own: signs in by the device flow and lists its apps.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, RequestBuilder, header::SET_COOKIE};
use serde_json::{Value, json};

use crate::server::PASSWORD;

/// Beyond it a request has failed.
const TIMEOUT: Duration = Duration::from_secs(20);

/// An HTTP client that connects from this address of loopback.
pub fn client_from(address: IpAddr) -> Client {
    Client::builder().local_address(address).timeout(TIMEOUT).build().unwrap()
}

/// A signed-in account.
#[derive(Clone)]
pub struct Account {
    pub client: Client,
    address: IpAddr,
    pub url: String,
    email: String,
    pub token: String,
    /// App ids by name.
    pub apps: BTreeMap<String, String>,
}

impl Account {
    pub async fn sign_in(server: SocketAddr, email: &str, address: IpAddr) -> Self {
        let (client, url) = (client_from(address), format!("http://{server}"));
        let mut account =
            Self { client, address, url, email: email.to_owned(), token: String::new(), apps: BTreeMap::new() };
        let codes = ok(account.request_codes()).await;
        let login = account.login().send().await.unwrap();
        assert_eq!(login.status(), 200, "{email} signs in");
        let cookies: Vec<&str> = login
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
            .collect();
        let csrf = cookies.iter().find_map(|cookie| cookie.strip_prefix("csrf_token=")).unwrap();
        let approve = account.post("/openapi/v1/oauth/device/approve", &json!({"user_code": codes["user_code"]}));
        ok(approve.header("cookie", cookies.join("; ")).header("x-csrf-token", csrf)).await;
        let token = ok(account.poll(&codes)).await;
        token["token"].as_str().unwrap().clone_into(&mut account.token);
        let workspace = token["workspaces"][0]["id"].as_str().unwrap();
        let apps = ok(account.get(&format!("/openapi/v1/apps?limit=100&workspace_id={workspace}"))).await;
        let text = |app: &Value, member: &str| app[member].as_str().unwrap().to_owned();
        account.apps =
            apps["data"].as_array().unwrap().iter().map(|app| (text(app, "name"), text(app, "id"))).collect();
        account
    }

    pub fn with_new_connections(&self) -> Self {
        Self { client: client_from(self.address), ..self.clone() }
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).json(body)
    }

    /// A request with the token.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub fn login(&self) -> RequestBuilder {
        self.post("/console/api/login", &json!({"email": self.email, "password": STANDARD.encode(PASSWORD)}))
    }

    pub fn request_codes(&self) -> RequestBuilder {
        self.post("/openapi/v1/oauth/device/code", &json!({"client_id": "difyctl"}))
    }

    pub fn poll(&self, codes: &Value) -> RequestBuilder {
        let body = json!({"client_id": "difyctl", "device_code": codes["device_code"]});
        self.post("/openapi/v1/oauth/device/token", &body)
    }

    /// The path of an app's runs.
    pub fn run_path(&self, app: &str) -> String {
        format!("/openapi/v1/apps/{}/run", self.apps[app])
    }

    pub fn run(&self, app: &str, body: &Value) -> RequestBuilder {
        self.post(&self.run_path(app), body).bearer_auth(&self.token)
    }
}

async fn ok(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}
