//! The baseline of the load table: plain axum and serde handlers that return the same bytes without any layer, and the
//! generated JSON codec without the pipeline and the edge.
//!
//!     bare_axum PORT

use std::{
    error::Error,
    sync::{Arc, atomic::AtomicI64},
};

use axum::{
    Json, Router,
    routing::{get, post},
    serve::ListenerExt as _,
};
use dify_openapi::testing::{
    app::{self, Application, Dependencies},
    config::Config,
    http::routes,
    ports::{SystemClock, SystemEntropy},
    telemetry::{Output, Telemetry},
};
use serde::{Deserialize, Serialize};

const HEALTH: &str = "/openapi/v1/_health";

#[derive(Serialize)]
struct Health {
    ok: bool,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Serialize)]
struct Introspection {
    active: bool,
    scope: &'static str,
    client_id: &'static str,
    username: &'static str,
    token_type: &'static str,
    exp: i64,
    sub: &'static str,
    iss: &'static str,
    subject_type: &'static str,
    account_id: &'static str,
    subject_email: &'static str,
    token_id: &'static str,
}

#[expect(clippy::struct_field_names, reason = "the names of the JSON members")]
#[derive(Serialize)]
struct Account {
    subject_type: &'static str,
    subject_email: &'static str,
    subject_issuer: Option<&'static str>,
    account: AccountSummary,
    workspaces: Vec<Membership>,
    default_workspace_id: Option<&'static str>,
}

#[derive(Serialize)]
struct AccountSummary {
    id: &'static str,
    email: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Membership {
    id: &'static str,
    name: &'static str,
    role: &'static str,
}

#[derive(Serialize)]
struct Workspaces {
    workspaces: Vec<Workspace>,
}

#[derive(Serialize)]
struct Workspace {
    id: &'static str,
    name: &'static str,
    role: &'static str,
    status: &'static str,
    current: bool,
}

#[derive(Deserialize)]
struct CodeRequest {
    client_id: String,
    device_label: Option<String>,
}

#[derive(Serialize)]
struct Codes {
    device_code: &'static str,
    user_code: &'static str,
    verification_uri: &'static str,
    verification_uri_complete: &'static str,
    expires_in: i64,
    interval: i64,
}

#[derive(Deserialize)]
struct PollRequest {
    client_id: String,
    device_code: String,
}

#[derive(Serialize)]
struct OAuthError {
    error: &'static str,
    error_description: &'static str,
}

const ID: &str = "0199a5c0-0000-7000-8000-000000000000";
const EMAIL: &str = "bench@example.com";

fn bare() -> Router {
    Router::new()
        .route("/health", get(async || Json(Health { ok: true })))
        .route("/introspect", post(introspect))
        .route("/account", get(async || Json(account())))
        .route("/workspaces", get(async || Json(workspaces())))
        .route("/code", post(code))
        .route("/poll", post(poll))
}

async fn introspect(Json(request): Json<Token>) -> Json<Introspection> {
    Json(Introspection {
        active: !request.token.is_empty(),
        scope: "full",
        client_id: "difyctl",
        username: EMAIL,
        token_type: "Bearer",
        exp: 1_800_000_000,
        sub: ID,
        iss: "http://127.0.0.1:5001",
        subject_type: "account",
        account_id: ID,
        subject_email: EMAIL,
        token_id: ID,
    })
}

fn account() -> Account {
    Account {
        subject_type: "account",
        subject_email: EMAIL,
        subject_issuer: None,
        account: AccountSummary { id: ID, email: EMAIL, name: "Bench" },
        workspaces: vec![Membership { id: ID, name: "Bench Workspace", role: "owner" }],
        default_workspace_id: Some(ID),
    }
}

fn workspaces() -> Workspaces {
    let workspace = Workspace { id: ID, name: "Bench Workspace", role: "owner", status: "normal", current: true };
    Workspaces { workspaces: vec![workspace] }
}

async fn code(Json(request): Json<CodeRequest>) -> Json<Codes> {
    let known = request.client_id == "difyctl" && request.device_label.is_some();
    Json(Codes {
        device_code: if known { "dc_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" } else { "" },
        user_code: "ABCD-EFGH",
        verification_uri: "http://127.0.0.1:5001/device",
        verification_uri_complete: "http://127.0.0.1:5001/device?user_code=ABCD-EFGH",
        expires_in: 900,
        interval: 5,
    })
}

async fn poll(Json(request): Json<PollRequest>) -> Json<OAuthError> {
    let known = request.client_id == "difyctl" && !request.device_code.is_empty();
    Json(OAuthError {
        error: if known { "authorization_pending" } else { "expired_token" },
        error_description: "The request has not been approved or denied yet. Keep polling.",
    })
}

/// A generated route without the layers around it.
async fn codec_alone() -> Result<Router, Box<dyn Error>> {
    let env = |name: &str| match name {
        "DATA_DIR" => Some(std::env::temp_dir().display().to_string()),
        "DATABASE_URL" => Some("sqlite::memory:".to_owned()),
        "SECRET_KEY" => Some("a secret of the benches, long enough to be one".to_owned()),
        "CONSOLE_WEB_URL" => Some("http://127.0.0.1:5001".to_owned()),
        _ => None,
    };
    let config = Config::for_serve(&env)?;
    let (sql, standalone) = app::connect_sql(&config, None).await?;
    let telemetry = Telemetry::install(&config.telemetry, Output::Stdout)?;
    let dependencies = Dependencies {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::clone(&telemetry.metrics),
        redis_clock_offset: Arc::new(AtomicI64::new(0)),
    };
    let state = app::connect_state(&config, &dependencies.clock, &dependencies.redis_clock_offset, None, None)?;
    let app = Application::new(&config, sql, state, standalone, dependencies)?;
    let mut routes = routes(app.rpc()).into_iter();
    let health = routes.find(|route| route.policy.http.is_some_and(|http| http.path == HEALTH));
    let route = health.ok_or("there is no health check")?;
    Ok(Router::new().route(HEALTH, route.handler))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("give a port")?;
    let codec = codec_alone().await?;
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, bare().merge(codec)).await?;
    Ok(())
}
