//! A stand-in for Dify's plugin daemon with one plugin, written from contracts K1 and K5. It can be made to answer with
//! faults.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use futures_util::{StreamExt as _, stream};
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
    /// The first message of a tool, and nothing more.
    Hang,
}

/// A request that the daemon has received.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub tenant: String,
    pub method: String,
    pub plugin: String,
    /// Empty without the header.
    pub traceparent: String,
    pub body: Value,
}

#[derive(Default)]
struct Daemon {
    fault: Fault,
    issued: u64,
    /// Calls that hang.
    open: Arc<AtomicUsize>,
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
            .route("/plugin/{tenant}/dispatch/tool/{method}", post(dispatch))
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

    /// Calls that hang now.
    pub fn open_calls(&self) -> usize {
        self.daemon.lock().open.load(Ordering::SeqCst)
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
    let (plugin, traceparent) = (header("x-plugin-id"), header("traceparent"));
    let received = Dispatch { tenant, method: method.clone(), plugin, traceparent, body: body.clone() };
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
        Fault::Hang => hanging(Arc::clone(&daemon.lock().open)),
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
        "invoke" => return used(data),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    assert!(issued, "{data}");
    daemon.issued += 1;
    let number = daemon.issued;
    let credentials = json!({"access_token": format!("access-of-plugin-{number}"), "refresh_token": format!("refresh-of-plugin-{number}")});
    let data = json!({"credentials": credentials, "expires_at": daemon.expires_at, "metadata": {"name": "Ann"}});
    line(&json!({"code": 0, "message": "success", "data": data}))
}

/// What a message of a tool is written as.
fn message(kind: &str, content: &Value) -> String {
    let data = json!({"type": kind, "message": content, "meta": null});
    format!("data: {}\n\n", json!({"code": 0, "message": "success", "data": data}))
}

/// A tool that repeats its parameters and the token that it was given.
fn used(data: &Value) -> Response {
    let credentials = &data["credentials"];
    let secret = ["access_token", "api_key"].iter().find_map(|name| credentials[name].as_str()).unwrap_or("nothing");
    let text = format!("used {secret} for {}", data["tool_parameters"]["whom"].as_str().unwrap_or_default());
    let variable = json!({"variable_name": "kind", "variable_value": data["credential_type"]});
    let messages = [
        message("text", &json!({"text": text})),
        message("json", &json!({"json_object": {"secret": secret, "tool": data["tool"]}})),
        message("variable", &variable),
        message("log", &json!({"id": "1", "label": "done", "status": "success", "data": {}})),
    ];
    messages.concat().into_response()
}

/// Counts a call while it is open.
struct OpenCall(Arc<AtomicUsize>);

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn hanging(open: Arc<AtomicUsize>) -> Response {
    open.fetch_add(1, Ordering::SeqCst);
    let call = OpenCall(open);
    let first = stream::iter([Ok::<_, std::io::Error>(message("text", &json!({"text": "first"})))]);
    let forever = stream::pending().inspect(move |_| _ = &call);
    Body::from_stream(first.chain(forever)).into_response()
}
