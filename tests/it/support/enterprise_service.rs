//! A stand-in for Dify Enterprise's inner API, written from contract section E1.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::IntoFuture as _,
    sync::Arc,
};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The secret key of the stand-in.
pub const SECRET_KEY: &str = "the-enterprise-service-of-the-tests";

/// A request that the stand-in received.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Such as `GET /webapp/permission`.
    pub name: String,
    pub query: BTreeMap<String, String>,
    pub body: Value,
    pub headers: HeaderMap,
}

/// How the stand-in answers.
#[derive(Clone, Debug, Default)]
pub enum Behaviour {
    /// As the contract says.
    #[default]
    Specified,
    /// With this status and body.
    Fixed(u16, &'static str, String),
    /// Never.
    Silent,
}

/// What the stand-in knows.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    pub license: String,
    /// The mode of an app by its id.
    pub modes: BTreeMap<String, String>,
    /// Account and app.
    pub permissions: BTreeSet<(String, String)>,
    /// Ids of the externally accessible apps, in their order.
    pub external_apps: Vec<String>,
    pub ttl_days: Option<u32>,
    pub allows_sso: bool,
    pub behaviour: Behaviour,
}

/// The stand-in; it stops when it is dropped.
pub struct EnterpriseService {
    pub url: String,
    pub knowledge: Arc<Mutex<Knowledge>>,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    stop: CancellationToken,
}

impl Drop for EnterpriseService {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl EnterpriseService {
    /// A stand-in with a valid license and no apps.
    pub async fn start() -> Self {
        let knowledge = Knowledge { license: "active".to_owned(), allows_sso: true, ..Knowledge::default() };
        let (knowledge, requests) = (Arc::new(Mutex::new(knowledge)), Arc::new(Mutex::new(Vec::new())));
        let (known, received) = (Arc::clone(&knowledge), Arc::clone(&requests));
        let app = Router::new().fallback(move |request: Request| {
            let (known, received) = (Arc::clone(&known), Arc::clone(&received));
            async move {
                let request = read(request).await;
                received.lock().push(request.clone());
                let known = known.lock().clone();
                match &known.behaviour {
                    Behaviour::Specified => answer(&known, &request),
                    Behaviour::Fixed(status, content_type, body) => Response::builder()
                        .status(*status)
                        .header("content-type", *content_type)
                        .body(body.clone().into())
                        .unwrap(),
                    Behaviour::Silent => std::future::pending().await,
                }
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/inner/api", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                served = axum::serve(listener, app).into_future() => served.unwrap(),
            }
        });
        Self { url, knowledge, requests, stop }
    }

    /// The variables of a server that asks this stand-in.
    pub fn variables(&self) -> [(&'static str, &str); 3] {
        [("ENTERPRISE_ENABLED", "true"), ("ENTERPRISE_API_URL", &self.url), ("ENTERPRISE_API_SECRET_KEY", SECRET_KEY)]
    }

    pub fn set_mode(&self, app: &str, mode: &str) {
        self.knowledge.lock().modes.insert(app.to_owned(), mode.to_owned());
    }

    pub fn set_license(&self, status: &str) {
        status.clone_into(&mut self.knowledge.lock().license);
    }

    pub fn permit(&self, account: &str, app: &str) {
        self.knowledge.lock().permissions.insert((account.to_owned(), app.to_owned()));
    }

    pub fn behave(&self, behaviour: Behaviour) {
        self.knowledge.lock().behaviour = behaviour;
    }

    /// The requests since the last call.
    pub fn take_requests(&self) -> Vec<ReceivedRequest> {
        std::mem::take(&mut self.requests.lock())
    }

    /// The names of the requests since the last call.
    pub fn take_names(&self) -> Vec<String> {
        self.take_requests().into_iter().map(|request| request.name).collect()
    }
}

async fn read(request: Request) -> ReceivedRequest {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/inner/api").unwrap_or("outside of the prefix");
    let query = parts.uri.query().unwrap_or_default();
    ReceivedRequest {
        name: format!("{} {path}", parts.method),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        body: serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap_or_default(),
        headers: parts.headers,
    }
}

fn answer(known: &Knowledge, request: &ReceivedRequest) -> Response {
    if request.headers.get("enterprise-api-secret-key").is_none_or(|key| key != SECRET_KEY) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"message": "wrong key"}))).into_response();
    }
    let texts = |member: &str| -> Vec<String> {
        let items = request.body[member].as_array().into_iter().flatten();
        items.map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let body = match request.name.as_str() {
        "GET /info" => json!({
            "License": {"status": known.license, "expiredAt": "2030-01-01", "workspaces": {"enabled": true}},
            "WebAppAuth": {"allowSso": known.allows_sso, "allowEmailCodeLogin": true},
            "SSOEnforcedForWebProtocol": if known.allows_sso { "oidc" } else { "" },
        }),
        "GET /webapp/access-mode/id" => match known.modes.get(&request.query["appId"]) {
            Some(mode) => json!({"accessMode": mode}),
            None => json!({}),
        },
        "POST /webapp/access-mode/batch/id" => {
            let apps = texts("appIds");
            let modes = apps.into_iter().filter_map(|app| Some((app.clone(), json!(known.modes.get(&app)?))));
            json!({"accessModes": modes.collect::<Map<_, _>>()})
        }
        "GET /webapp/permission" => {
            let pair = (request.query["userId"].clone(), request.query["appId"].clone());
            json!({"result": known.permissions.contains(&pair)})
        }
        "POST /webapp/permission/batch" => {
            let user = request.body["userId"].as_str().unwrap();
            let apps = texts("appIds").into_iter();
            let permissions = apps.map(|app| {
                let permitted = known.permissions.contains(&(user.to_owned(), app.clone()));
                (app, json!(permitted))
            });
            json!({"permissions": permissions.collect::<Map<_, _>>()})
        }
        "POST /webapp/externally-accessible-apps" => external_apps(known, &request.body),
        "GET /policy/oauth-ttl" => match known.ttl_days {
            Some(days) => json!({"ttl_days": days}),
            None => return (StatusCode::NOT_FOUND, Json(json!({"error": "no policy"}))).into_response(),
        },
        "POST /device-flow/sso-initiate" => json!({"url": "https://idp.example/authorize?client_id=dify"}),
        _ => return (StatusCode::NOT_FOUND, Json(json!({"detail": "no such route"}))).into_response(),
    };
    Json(body).into_response()
}

/// The names of the listed apps are those of the database, which this service does not read: the filter is ignored.
fn external_apps(known: &Knowledge, body: &Value) -> Value {
    let number = |member: &str| usize::try_from(body[member].as_u64().unwrap()).unwrap();
    let (page, limit, total) = (number("page"), number("limit"), known.external_apps.len());
    let rows = known.external_apps.iter().skip((page - 1) * limit).take(limit).map(
        |app| json!({"appId": app, "tenantId": "t", "mode": "chat", "name": "n", "updatedAt": "2026-01-01T00:00:00Z"}),
    );
    json!({"data": rows.collect::<Vec<_>>(), "total": total, "hasMore": page * limit < total})
}
