//! A stand-in for Dify's plugin daemon with one plugin, written from contract K1. It can be made to answer with faults.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The key that the stand-in accepts.
pub const KEY: &str = "plugin-daemon-key-of-the-tests";

/// What the daemon answers.
#[derive(Clone, Debug, Default)]
pub enum Fault {
    #[default]
    None,
    /// This status.
    Status(u16),
    /// The daemon's answer for a plugin that is not installed: status 404 and JSON without `data:`.
    NotInstalled,
    /// A page with status 200.
    Html,
    /// 10 MB of a line.
    Huge,
    /// This line in place of the right one.
    Line(Value),
}

/// A request that the daemon has received.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub tenant: String,
    pub method: String,
    pub plugin: String,
    pub body: Value,
}

#[derive(Default)]
struct Daemon {
    fault: Fault,
    issued: u64,
    expires_at: i64,
    received: Vec<Dispatch>,
}

/// A plugin daemon on a free port.
#[derive(Clone)]
pub struct PluginDaemon {
    pub url: String,
    daemon: Arc<Mutex<Daemon>>,
}

impl PluginDaemon {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let daemon = Arc::new(Mutex::new(Daemon::default()));
        let router = Router::new()
            .route("/plugin/{tenant}/dispatch/oauth/{method}", post(dispatch))
            .with_state(Arc::clone(&daemon));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, daemon }
    }

    pub fn set_fault(&self, fault: Fault) {
        self.daemon.lock().fault = fault;
    }

    /// Sets when the credentials expire that are issued from now on.
    pub fn expire_at(&self, at: i64) {
        self.daemon.lock().expires_at = at;
    }

    /// The requests since the last call.
    pub fn received(&self) -> Vec<Dispatch> {
        std::mem::take(&mut self.daemon.lock().received)
    }
}

fn line(data: &Value) -> Response {
    format!("data: {data}\n\n").into_response()
}

async fn dispatch(
    State(daemon): State<Arc<Mutex<Daemon>>>,
    Path((tenant, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    if header("x-api-key") != KEY {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let body: Value = serde_json::from_str(&body).unwrap();
    let received = Dispatch { tenant, method: method.clone(), plugin: header("x-plugin-id"), body: body.clone() };
    let fault = {
        let mut daemon = daemon.lock();
        daemon.received.push(received);
        daemon.fault.clone()
    };
    match fault {
        Fault::None => answer(&daemon, &method, &body["data"]),
        Fault::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Fault::NotInstalled => not_installed(),
        Fault::Html => "<!doctype html><p>data: gateway</p>".into_response(),
        Fault::Huge => {
            format!("data: {{\"code\": 0, \"data\": {{\"a\": \"{}\"}}}}", "x".repeat(10 << 20)).into_response()
        }
        Fault::Line(value) => line(&value),
    }
}

fn not_installed() -> Response {
    let error = json!({"error_type": "PluginNotFoundError", "message": "plugin not found", "args": null});
    let body = json!({"code": -404, "message": error.to_string(), "data": null});
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

fn answer(daemon: &Mutex<Daemon>, method: &str, data: &Value) -> Response {
    let mut daemon = daemon.lock();
    let issued = match method {
        "get_authorization_url" => {
            let url = "https://provider.example/auth?client_id=c&state=of-the-plugin";
            return line(&json!({"code": 0, "message": "success", "data": {"authorization_url": url}}));
        }
        "get_credentials" => data["raw_http_request"].is_string(),
        "refresh_credentials" => data["credentials"]["refresh_token"].is_string(),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    assert!(issued, "{data}");
    daemon.issued += 1;
    let number = daemon.issued;
    let credentials = json!({"access_token": format!("access-of-plugin-{number}"), "refresh_token": format!("refresh-of-plugin-{number}")});
    let data = json!({"credentials": credentials, "expires_at": daemon.expires_at, "metadata": {"name": "Ann"}});
    line(&json!({"code": 0, "message": "success", "data": data}))
}
