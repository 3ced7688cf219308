//! What a CLI does: ask for codes, poll, use the bearer.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, Browser, server::TestServer};

/// Where devices ask.
pub const CODE: &str = "/openapi/v1/oauth/device/code";
/// Where devices poll.
pub const TOKEN: &str = "/openapi/v1/oauth/device/token";

/// A device with a pair of codes.
#[expect(clippy::struct_field_names, reason = "RFC 8628's own words")]
pub struct Device {
    base: String,
    client: reqwest::Client,
    /// For polling.
    pub device_code: String,
    /// For typing.
    pub user_code: String,
}

impl Device {
    /// Asks for codes under a label.
    pub async fn start(server: &TestServer, label: &str) -> Self {
        Self::start_with(server, label, |request| request).await
    }

    /// The same through a proxy, for an address of its own; the server must trust the proxy.
    pub async fn start_from(server: &TestServer, label: &str, address: &str) -> Self {
        Self::start_with(server, label, |request| request.header("x-forwarded-for", address)).await
    }

    async fn start_with(server: &TestServer, label: &str, adjust: impl Fn(RequestBuilder) -> RequestBuilder) -> Self {
        let client = reqwest::Client::new();
        let body = json!({"client_id": "difyctl", "device_label": label});
        let request = client.post(server.at("/openapi/v1/oauth/device/code")).json(&body);
        let response = adjust(request).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let codes: Value = response.json().await.unwrap();
        Self {
            base: server.url.clone(),
            client,
            device_code: codes["device_code"].as_str().unwrap().to_owned(),
            user_code: codes["user_code"].as_str().unwrap().to_owned(),
        }
    }

    /// Asks with any body at all.
    pub async fn request_codes(server: &TestServer, body: &Value) -> Answer {
        Answer::to(reqwest::Client::new().post(server.at(CODE)).json(body)).await
    }

    /// Asks with a form.
    pub async fn request_codes_by_form(server: &TestServer, form: &str) -> Answer {
        Answer::to(form_request(server, CODE, form)).await
    }

    /// Polls with any body at all.
    pub async fn poll_with(server: &TestServer, body: &Value) -> Answer {
        Answer::to(reqwest::Client::new().post(server.at(TOKEN)).json(body)).await
    }

    /// Polls with a form.
    pub async fn poll_by_form(server: &TestServer, form: &str) -> Answer {
        Answer::to(form_request(server, TOKEN, form)).await
    }

    /// Polls once at another replica.
    pub async fn poll_at(&self, server: &TestServer) -> Answer {
        Self::poll_with(server, &json!({"client_id": "difyctl", "device_code": self.device_code})).await
    }

    /// The error of a poll, which must be one.
    pub async fn poll_error(&self) -> String {
        let (status, body) = self.poll().await;
        assert_eq!(status, 400, "{body}");
        body["error"].as_str().unwrap_or_else(|| panic!("no error in {body}")).to_owned()
    }

    /// Polls once.
    pub async fn poll(&self) -> (u16, Value) {
        let body = json!({"client_id": "difyctl", "device_code": self.device_code});
        let url = format!("{}/openapi/v1/oauth/device/token", self.base);
        let response = self.client.post(url).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

/// A request with a form as its body.
pub fn form_request(server: &TestServer, path: &str, form: &str) -> RequestBuilder {
    let request = reqwest::Client::new().post(server.at(path));
    request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned())
}

/// A bearer token in use.
#[derive(Clone)]
pub struct Bearer {
    base: String,
    client: reqwest::Client,
    /// The token.
    pub token: String,
    /// The session behind it.
    pub token_id: String,
}

impl Bearer {
    /// The whole sign-in: codes, approval by `email`, poll.
    pub async fn sign_in(server: &TestServer, email: &str, label: &str) -> Self {
        Self::sign_in_with(server, &Browser::signed_in(server, email).await, label).await
    }

    /// The same with a browser that is signed in already.
    pub async fn sign_in_with(server: &TestServer, browser: &Browser, label: &str) -> Self {
        let device = Device::start(server, label).await;
        let (status, body) = browser.approve(&device.user_code).await;
        assert_eq!((status, body["status"].as_str()), (200, Some("approved")), "{body}");
        let (status, body) = device.poll().await;
        assert_eq!(status, 200, "{body}");
        Self::with_token(server, body["token"].as_str().unwrap(), body["token_id"].as_str().unwrap())
    }

    /// A token from elsewhere.
    pub fn with_token(server: &TestServer, token: &str, token_id: &str) -> Self {
        Self {
            base: server.url.clone(),
            client: reqwest::Client::new(),
            token: token.to_owned(),
            token_id: token_id.to_owned(),
        }
    }

    /// The same bearer against another replica.
    pub fn at(&self, server: &TestServer) -> Self {
        Self { base: server.url.clone(), ..self.clone() }
    }

    /// A request with the bearer.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Reads JSON.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.request(Method::GET, path).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        let response = self.request(Method::DELETE, path).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}
