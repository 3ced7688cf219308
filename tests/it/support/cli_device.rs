//! A CLI: requests codes, polls, uses a bearer token.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, Browser, server::TestServer};

pub const CODE: &str = "/openapi/v1/oauth/device/code";
pub const TOKEN: &str = "/openapi/v1/oauth/device/token";

/// A device with a pair of codes.
#[expect(clippy::struct_field_names, reason = "the names of RFC 8628")]
pub struct Device {
    base: String,
    client: reqwest::Client,
    client_id: String,
    pub device_code: String,
    pub user_code: String,
}

impl Device {
    /// Requests codes with a label.
    pub async fn start(server: &TestServer, label: &str) -> Self {
        Self::start_with(server, "difyctl", label, |request| request).await
    }

    /// Requests codes as a client.
    pub async fn start_as(server: &TestServer, client_id: &str, label: &str) -> Self {
        Self::start_with(server, client_id, label, |request| {
            request.header("user-agent", format!("{client_id}/2.0 (linux; x64)"))
        })
        .await
    }

    /// Requests codes through a proxy for an address. The server must trust the proxy.
    pub async fn start_from(server: &TestServer, label: &str, address: &str) -> Self {
        Self::start_with(server, "difyctl", label, |request| request.header("x-forwarded-for", address)).await
    }

    async fn start_with(
        server: &TestServer,
        client_id: &str,
        label: &str,
        adjust: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Self {
        let client = reqwest::Client::new();
        let body = json!({"client_id": client_id, "device_label": label});
        let request = client.post(server.at("/openapi/v1/oauth/device/code")).json(&body);
        let response = adjust(request).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let codes: Value = response.json().await.unwrap();
        Self {
            base: server.url.clone(),
            client,
            client_id: client_id.to_owned(),
            device_code: codes["device_code"].as_str().unwrap().to_owned(),
            user_code: codes["user_code"].as_str().unwrap().to_owned(),
        }
    }

    /// Requests codes with any JSON body.
    pub async fn request_codes(server: &TestServer, body: &Value) -> Answer {
        Answer::to(reqwest::Client::new().post(server.at(CODE)).json(body)).await
    }

    /// Requests codes with a form.
    pub async fn request_codes_by_form(server: &TestServer, form: &str) -> Answer {
        Answer::to(form_request(server, CODE, form)).await
    }

    /// Polls with any JSON body.
    pub async fn poll_with(server: &TestServer, body: &Value) -> Answer {
        Answer::to(reqwest::Client::new().post(server.at(TOKEN)).json(body)).await
    }

    /// Polls with a form.
    pub async fn poll_by_form(server: &TestServer, form: &str) -> Answer {
        Answer::to(form_request(server, TOKEN, form)).await
    }

    /// Polls once at another replica.
    pub async fn poll_at(&self, server: &TestServer) -> Answer {
        Self::poll_with(server, &json!({"client_id": self.client_id, "device_code": self.device_code})).await
    }

    /// Polls once and returns the error, which must be one.
    pub async fn poll_error(&self) -> String {
        let (status, body) = self.poll().await;
        assert_eq!(status, 400, "{body}");
        body["error"].as_str().unwrap_or_else(|| panic!("no error in {body}")).to_owned()
    }

    /// Polls once.
    pub async fn poll(&self) -> (u16, Value) {
        let body = json!({"client_id": self.client_id, "device_code": self.device_code});
        let url = format!("{}/openapi/v1/oauth/device/token", self.base);
        let response = self.client.post(url).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

/// A request with a form body.
pub fn form_request(server: &TestServer, path: &str, form: &str) -> RequestBuilder {
    let request = reqwest::Client::new().post(server.at(path));
    request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned())
}

/// A client with a bearer token.
#[derive(Clone)]
pub struct Bearer {
    base: String,
    client: reqwest::Client,
    pub token: String,
    /// The id of its session.
    pub token_id: String,
}

impl Bearer {
    /// Runs the whole sign-in: codes, approval by `email`, poll.
    pub async fn sign_in(server: &TestServer, email: &str, label: &str) -> Self {
        Self::sign_in_with(server, &Browser::signed_in(server, email).await, label).await
    }

    /// Like `sign_in`, with a browser that is already signed in.
    pub async fn sign_in_with(server: &TestServer, browser: &Browser, label: &str) -> Self {
        let device = Device::start(server, label).await;
        let (status, body) = browser.approve(&device.user_code).await;
        assert_eq!((status, body["status"].as_str()), (200, Some("approved")), "{body}");
        let (status, body) = device.poll().await;
        assert_eq!(status, 200, "{body}");
        Self::with_token(server, body["token"].as_str().unwrap(), body["token_id"].as_str().unwrap())
    }

    /// A client with any token.
    pub fn with_token(server: &TestServer, token: &str, token_id: &str) -> Self {
        Self {
            base: server.url.clone(),
            client: reqwest::Client::new(),
            token: token.to_owned(),
            token_id: token_id.to_owned(),
        }
    }

    /// The same token at another replica.
    pub fn at(&self, server: &TestServer) -> Self {
        Self { base: server.url.clone(), ..self.clone() }
    }

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends GET and reads JSON.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.request(Method::GET, path).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Sends DELETE and reads JSON.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        let response = self.request(Method::DELETE, path).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}
