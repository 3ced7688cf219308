//! An HTTP client that keeps the console's cookies and sends the CSRF token.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

use super::{
    Answer,
    server::{PASSWORD, TestServer},
};

/// A browser with the console's cookies.
#[derive(Clone)]
pub struct Browser {
    base: String,
    client: reqwest::Client,
    /// `access_token`, `csrf_token`, `refresh_token` by name.
    pub cookies: std::collections::BTreeMap<String, String>,
}

impl Browser {
    /// A browser without cookies.
    pub fn anonymous(server: &TestServer) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { base: server.url.clone(), client, cookies: std::collections::BTreeMap::new() }
    }

    /// A browser that has signed in with the password of the tests.
    pub async fn signed_in(server: &TestServer, email: &str) -> Self {
        let mut browser = Self::anonymous(server);
        let response = browser.login(email, PASSWORD).await;
        assert_eq!(response.status, 200, "{}", response.text);
        browser.take_cookies(&response.headers);
        browser
    }

    /// The same cookies at another replica.
    pub fn at(&self, server: &TestServer) -> Self {
        Self { base: server.url.clone(), ..self.clone() }
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        Answer::to(self.login_request(email, password)).await
    }

    /// The request of a sign-in.
    pub fn login_request(&self, email: &str, password: &str) -> RequestBuilder {
        let body = json!({"email": email, "password": STANDARD.encode(password), "remember_me": true});
        self.client.post(format!("{}/console/api/login", self.base)).json(&body)
    }

    /// Keeps the cookies of a response.
    pub fn take_cookies(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// A request with the cookies but no CSRF header.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.client.request(method, format!("{}{path}", self.base)).header("cookie", cookies.join("; "))
    }

    /// A request with cookies and CSRF header.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("x-csrf-token", self.cookies.get("csrf_token").cloned().unwrap_or_default())
    }

    /// Whether the profile can be read.
    pub async fn is_signed_in(&self) -> bool {
        self.get("/console/api/account/profile").await.0 == 200
    }

    /// Sends the refresh cookie.
    pub async fn refresh(&self) -> Answer {
        Answer::to(self.bare(Method::POST, "/console/api/refresh-token").json(&json!({}))).await
    }

    pub async fn approve(&self, user_code: &str) -> (u16, Value) {
        self.post("/openapi/v1/oauth/device/approve", &json!({"user_code": user_code})).await
    }

    pub async fn deny(&self, user_code: &str) -> (u16, Value) {
        self.post("/openapi/v1/oauth/device/deny", &json!({"user_code": user_code})).await
    }

    /// Posts JSON, with the CSRF header.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.request(Method::POST, path).json(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.request(Method::GET, path).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}
