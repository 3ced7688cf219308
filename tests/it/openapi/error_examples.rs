//! The error examples of both documents equal the server's errors. The test provokes every error that it can.

mod connections;
mod provisioning;
mod single_sign_on;

use std::collections::BTreeSet;

use dify_openapi::testing::{
    domain::{ClaimId, KeyRing, Secret, UserCode},
    http::{internal_openapi, openapi},
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Map, Value, json};

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer, apps,
    cli_device::{CODE, TOKEN},
    database,
    forms::{asking_app, get_form, paused, submit, submit_with},
    runs::{answer, blocking, end, graph_app, greeting, prompt_app, request},
    server::{MEMBER, OWNER, SECRET_KEY},
    uploads::{ZIP, file_part, form, request as upload},
};

const ACCOUNT: &str = "/openapi/v1/account";
const APPROVE: &str = "/openapi/v1/oauth/device/approve";
const DESCRIBE: &str = "/openapi/v1/apps/{id}/describe";
const INTROSPECT: &str = "/openapi/v1/oauth/introspect";
const LIST: &str = "/openapi/v1/apps";
const LOOKUP: &str = "/openapi/v1/oauth/device/lookup";
const RUN: &str = "/openapi/v1/apps/{id}/run";
const RUN_CHAT: &str = "/openapi/v1/apps/{id}/chat:run";
const SESSION: &str = "/openapi/v1/account/sessions/{id}";
const SESSIONS: &str = "/openapi/v1/account/sessions";
const WORKSPACE: &str = "/openapi/v1/workspaces/{id}";
const MEMBERS: &str = "/openapi/v1/workspaces/{workspace_id}/members";
const MEMBER_ID: &str = "/openapi/v1/workspaces/{workspace_id}/members/{member_id}";
const EXPORT: &str = "/openapi/v1/apps/{id}/export";
const IMPORTS: &str = "/openapi/v1/workspaces/{workspace_id}/apps/imports";
const UPLOAD: &str = "/openapi/v1/apps/{id}/files/upload";
const FORM: &str = "/openapi/v1/apps/{id}/form/human_input/{token}";
const UNKNOWN_ID: &str = "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55";

/// Errors that a healthy server does not return: the host check is for development only, the scope of accounts
/// satisfies every other scope, only an enterprise service has a license that ends, codes do not run out, nothing
/// fails, and a standalone server does everything.
const UNREACHABLE: [(&str, &str); 7] = [
    ("403", "insufficient_scope"),
    ("403", "license_required"),
    ("421", "misdirected_request"),
    ("500", "internal_server_error"),
    ("501", "not_supported_here"),
    ("503", "permitted_external_apps_unavailable"),
    ("503", "user_code_exhausted"),
];

struct Document {
    paths: Value,
    covered: BTreeSet<(String, String)>,
}

impl Document {
    /// Both documents of the Enterprise edition, which have every method.
    fn of_everything() -> Self {
        let mut paths = Map::new();
        for text in [openapi(true), internal_openapi(true)] {
            let mut document: Value = serde_json::from_str(text).unwrap();
            paths.append(document["paths"].as_object_mut().unwrap());
        }
        Self { paths: Value::Object(paths), covered: BTreeSet::new() }
    }

    /// Checks that the document shows this error for a method.
    fn assert_shown(&mut self, method: &str, path: &str, answer: &Answer) {
        let (status, code, given) = (answer.status.to_string(), answer.code(), answer.json());
        let shown = &self.paths[path][method]["responses"][&status]["content"]["application/json"]["examples"][&code];
        let shown = shown["value"].as_object();
        let shown = shown.unwrap_or_else(|| panic!("{method} {path}: no example of {status} {}", answer.text));
        for (name, value) in shown.iter().filter(|(name, _)| *name != "retry_after_ms") {
            assert_eq!(
                without_figures(value),
                without_figures(&given[name]),
                "{method} {path}: {name} of {}",
                answer.text
            );
        }
        self.covered.insert((status, code));
    }

    /// Every error of the document.
    fn all(&self) -> BTreeSet<(String, String)> {
        let methods = self.paths.as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
        let responses = methods.flat_map(|method| method["responses"].as_object().unwrap());
        let pairs = responses.flat_map(|(status, response)| {
            let examples = response["content"]["application/json"]["examples"].as_object();
            let codes = examples.filter(|_| status != "200").into_iter().flat_map(|examples| examples.keys());
            codes.map(|code| (status.clone(), code.clone()))
        });
        pairs.collect()
    }
}

/// A value without ids and numbers, which differ between requests.
fn without_figures(value: &Value) -> Value {
    let Some(text) = value.as_str() else { return value.clone() };
    let words = text.split(' ').map(|word| match word.trim_end_matches(['.', ',']) {
        id if id.len() == 36 && uuid::Uuid::try_parse(id).is_ok() => word.replace(id, "[id]"),
        figure if !figure.is_empty() && figure.chars().all(|c| c.is_ascii_digit()) => word.replace(figure, "[figure]"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ").into()
}

fn get(server: &TestServer, path: &str) -> RequestBuilder {
    Client::new().get(server.at(path))
}

async fn with_token(server: &TestServer, token: &str) -> Answer {
    Answer::to(get(server, ACCOUNT).bearer_auth(token)).await
}

async fn start(variables: &[(&str, &str)]) -> TestServer {
    TestServer::start_with(Stores::Sqlite, variables).await
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_error_examples_match_the_server() {
    let server = start(&[
        ("ENTERPRISE_ENABLED", "true"),
        ("APP_MAX_EXECUTION_TIME", "1"),
        ("ECHO_PACE_MS", "600"),
        ("OPENAPI_RATE_LIMITS", "account=1/1h"),
        ("UPLOAD_FILE_SIZE_LIMIT", "1"),
        ("UPLOAD_FILE_EXTENSION_BLACKLIST", "exe"),
    ])
    .await;
    let mut document = Document::of_everything();
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;

    devices(&server, &mut document).await;
    decisions(&server, &mut document).await;
    bodies(&server, &mut document).await;
    lookups(&server, &bearer, &mut document).await;
    runs(&server, &bearer, &mut document).await;
    uploads(&server, &bearer, &mut document).await;
    forms(&server, &bearer, &mut document).await;
    members(&server, &bearer, &mut document).await;
    app_files(&server, &bearer, &mut document).await;
    credentials(&server, &bearer, &mut document).await;
    single_sign_on::errors(&mut document).await;
    connections::errors(&mut document).await;
    provisioning::errors(&mut document).await;

    let off = start(&[("ENABLE_OAUTH_BEARER", "false")]).await;
    document.assert_shown(
        "post",
        "/openapi/v1/oauth/device/code",
        &Device::request_codes(&off, &json!({"client_id": "difyctl"})).await,
    );
    server.sql().clone().close().await.unwrap();
    document.assert_shown("get", SESSIONS, &Answer::to(bearer.request(Method::GET, SESSIONS)).await);

    let unreachable: BTreeSet<_> = UNREACHABLE.map(|(status, code)| (status.to_owned(), code.to_owned())).into();
    let missed: BTreeSet<_> = document.all().difference(&document.covered).cloned().collect();
    assert_eq!(missed, unreachable);
}

async fn devices(server: &TestServer, document: &mut Document) {
    document.assert_shown("post", CODE, &Device::request_codes(server, &json!({"client_id": "another"})).await);
    let elsewhere = Client::new().post(server.at(CODE)).header("sec-fetch-site", "cross-site");
    document.assert_shown("post", CODE, &Answer::to(elsewhere.json(&json!({"client_id": "difyctl"}))).await);
    let device = Device::start(server, "phone").await;
    let mut poll = json!({"client_id": "another", "device_code": device.device_code});
    document.assert_shown("post", TOKEN, &Device::poll_with(server, &poll).await);
    poll["grant_type"] = json!("password");
    document.assert_shown("post", TOKEN, &Device::poll_with(server, &poll).await);
    let pending = device.poll_at(server).await;
    let early = device.poll_at(server).await;
    Browser::signed_in(server, OWNER).await.deny(&device.user_code).await;
    server.advance(20);
    let denied = device.poll_at(server).await;
    let unknown = json!({"client_id": "another", "device_code": format!("dc_{:032}", 7)});
    for answer in [pending, early, denied, Device::poll_with(server, &unknown).await] {
        document.assert_shown("post", TOKEN, &answer);
    }
}

async fn decisions(server: &TestServer, document: &mut Document) {
    let browser = Browser::signed_in(server, OWNER).await;
    let approve = |code: &str| browser.request(Method::POST, APPROVE).json(&json!({"user_code": code}));
    let device = Device::start(server, "tablet").await;
    let unproven = browser.bare(Method::POST, APPROVE).json(&json!({"user_code": device.user_code}));
    let anonymous = Browser::anonymous(server);
    for refused in [approve("ABCD-EFGH"), approve("nothing"), unproven, anonymous.request(Method::POST, APPROVE)] {
        document.assert_shown("post", APPROVE, &Answer::to(refused).await);
    }
    let keys = KeyRing::new(Secret::new(SECRET_KEY), Vec::new());
    let keys = keys.user_code_keys(&UserCode::parse(&device.user_code).unwrap());
    let claim = ClaimId(uuid::Uuid::new_v4());
    let grants = &server.running().app.stores().grants;
    grants.claim(&keys, claim).await.unwrap();
    document.assert_shown("post", APPROVE, &Answer::to(approve(&device.user_code)).await);
    grants.release(&keys, claim).await.unwrap();
    assert_eq!(Answer::to(approve(&device.user_code)).await.status, 200);
    document.assert_shown("post", APPROVE, &Answer::to(approve(&device.user_code)).await);

    document.assert_shown("get", LOOKUP, &Answer::to(get(server, &format!("{LOOKUP}?user_code=nothing"))).await);
    document.assert_shown("post", "/console/api/login", &browser.login(OWNER, "another password").await);
    document.assert_shown("post", "/console/api/refresh-token", &anonymous.refresh().await);
}

async fn bodies(server: &TestServer, document: &mut Document) {
    let browser = Browser::signed_in(server, OWNER).await;
    for path in [APPROVE, CODE] {
        let post = |kind: &str, body: &str| {
            browser.request(Method::POST, path).header("content-type", kind).body(body.to_owned())
        };
        let large = format!("{{\"pad\": \"{}\"}}", "x".repeat(65 * 1024));
        for refused in [post("application/json", "[]"), post("text/plain", "{}"), post("application/json", &large)] {
            document.assert_shown("post", path, &Answer::to(refused).await);
        }
    }
}

async fn lookups(server: &TestServer, bearer: &Bearer, document: &mut Document) {
    let get_with_token = |path: &str| bearer.request(Method::GET, path);
    let workspace = apps::shared_workspace(server).await;
    // Both apps have one mode, because their order in the error depends on random ids.
    for _ in 0..2 {
        apps::insert(server, &workspace, "Twins", "chat", 0).await;
    }
    let twins = format!("/openapi/v1/apps/Twins/describe?workspace_id={workspace}");
    let elsewhere = format!("{LIST}?workspace_id={UNKNOWN_ID}");
    for (path, request) in [
        (ACCOUNT, get_with_token("/openapi/v1/nothing")),
        (WORKSPACE, get_with_token(&WORKSPACE.replace("{id}", UNKNOWN_ID))),
        (DESCRIBE, get_with_token(&DESCRIBE.replace("{id}", UNKNOWN_ID))),
        (DESCRIBE, get_with_token(&twins)),
        (LIST, get_with_token(LIST)),
        (LIST, get_with_token(&elsewhere)),
        (SESSIONS, get_with_token(&format!("{SESSIONS}?page=1&page=1"))),
    ] {
        document.assert_shown("get", path, &Answer::to(request).await);
    }
    let gone = bearer.request(Method::DELETE, &SESSION.replace("{id}", UNKNOWN_ID));
    document.assert_shown("delete", SESSION, &Answer::to(gone).await);
}

async fn runs(server: &TestServer, bearer: &Bearer, document: &mut Document) {
    let (chat, workspace) = (prompt_app(server, "chat").await, apps::shared_workspace(server).await);
    let workflow = graph_app(server, "workflow", &[greeting(), end()]).await;
    let mut broken = greeting();
    broken["data"]["template"] = json!("{{ 1 // 0 }}");
    let broken = graph_app(server, "advanced-chat", &[broken, answer()]).await;
    let empty = apps::insert(server, &workspace, "Empty", "chat", 0).await;
    let ann = json!({"name": "Ann"});
    for (app, body) in [
        (&chat, json!({"inputs": {}, "query": "hello"})),
        (&chat, json!({"inputs": {"name": "Bartholomew"}, "query": "hello"})),
        (&chat, json!({"inputs": ann})),
        (&chat, json!({"inputs": ann, "query": "so many words that it takes its time"})),
        (&workflow, json!({"inputs": ann, "query": "hello"})),
        (&broken, json!({"inputs": ann, "query": "hello"})),
        (&empty, json!({"inputs": {}, "query": "hello"})),
    ] {
        document.assert_shown("post", RUN, &blocking(bearer, app, body).await);
    }
    let chat_path = RUN_CHAT.replace("{id}", &workflow);
    let mismatch = Answer::to(bearer.request(Method::POST, &chat_path).json(&json!({"inputs": ann}))).await;
    document.assert_shown("post", RUN_CHAT, &mismatch);
    document.assert_shown("post", RUN, &Answer::to(request(bearer, UNKNOWN_ID, &json!({"inputs": {}}))).await);
}

async fn uploads(server: &TestServer, bearer: &Bearer, document: &mut Document) {
    let workspace = apps::shared_workspace(server).await;
    let app = apps::insert(server, &workspace, "Uploads", "workflow", 0).await;
    let channel = apps::insert(server, &workspace, "Channel", "channel", 0).await;
    let file = || file_part("a.txt", b"a");
    for (app, parts) in [
        (app.as_str(), vec![]),
        (&app, vec![file(), file()]),
        (&app, vec![file_part("", b"a")]),
        (&app, vec![file_part("setup.exe", b"a")]),
        (&app, vec![file_part("large.bin", &vec![1; (1 << 20) + 1])]),
        (&app, vec![file_part("cat.png", ZIP)]),
        (&channel, vec![file()]),
        (UNKNOWN_ID, vec![file()]),
    ] {
        document.assert_shown("post", UPLOAD, &Answer::to(upload(bearer, app, form(&parts))).await);
    }
    let json = bearer.request(Method::POST, &UPLOAD.replace("{id}", &app)).json(&json!({}));
    document.assert_shown("post", UPLOAD, &Answer::to(json).await);
}

async fn forms(server: &TestServer, bearer: &Bearer, document: &mut Document) {
    let app = asking_app(server, "workflow").await;
    let waiting = paused(bearer, &app).await;
    let token = &waiting.token;
    document.assert_shown("get", FORM, &get_form(bearer, &app, "another").await);
    for body in [json!({"action": "other"}), json!({"action": "send"})] {
        document.assert_shown("post", FORM, &submit_with(bearer, &app, token, &body).await);
    }
    assert_eq!(submit(bearer, &app, token, "send").await.status, 200);
    document.assert_shown("post", FORM, &submit(bearer, &app, token, "send").await);
    let waiting = paused(bearer, &app).await;
    server.advance(2 * 3_600);
    document.assert_shown("get", FORM, &get_form(bearer, &app, &waiting.token).await);
}

async fn members(server: &TestServer, owner: &Bearer, document: &mut Document) {
    let workspace = apps::shared_workspace(server).await;
    let member = Bearer::sign_in(server, MEMBER, "desktop").await;
    let invite = |bearer: &Bearer, workspace: &str, role: &str| {
        let request = bearer.request(Method::POST, &MEMBERS.replace("{workspace_id}", workspace));
        Answer::to(request.json(&json!({"email": MEMBER, "role": role})))
    };
    for refused in [
        invite(&member, &workspace, "normal").await,
        invite(owner, UNKNOWN_ID, "normal").await,
        invite(owner, &workspace, "normal").await,
        invite(owner, &workspace, "king").await,
    ] {
        document.assert_shown("post", MEMBERS, &refused);
    }
    let own = MEMBER_ID.replace("{workspace_id}", &workspace);
    let own = own.replace("{member_id}", &database::account_id(server, OWNER).await);
    document.assert_shown("delete", MEMBER_ID, &Answer::to(owner.request(Method::DELETE, &own)).await);
    let change = owner.request(Method::PATCH, &own).json(&json!({"role": "king"}));
    document.assert_shown("patch", MEMBER_ID, &Answer::to(change).await);
}

async fn app_files(server: &TestServer, owner: &Bearer, document: &mut Document) {
    let workspace = apps::shared_workspace(server).await;
    let member = Bearer::sign_in(server, MEMBER, "tablet").await;
    let import = |bearer: &Bearer, workspace: &str| {
        let request = bearer.request(Method::POST, &IMPORTS.replace("{workspace_id}", workspace));
        Answer::to(request.json(&json!({"mode": "yaml-file"})))
    };
    for refused in [import(&member, &workspace).await, import(owner, UNKNOWN_ID).await, import(owner, &workspace).await]
    {
        document.assert_shown("post", IMPORTS, &refused);
    }
    let empty = apps::insert(server, &workspace, "Nothing", "workflow", 0).await;
    let channel = apps::insert(server, &workspace, "Another channel", "channel", 0).await;
    for app in [empty.as_str(), channel.as_str(), UNKNOWN_ID] {
        let refused = Answer::to(owner.request(Method::GET, &EXPORT.replace("{id}", app))).await;
        document.assert_shown("get", EXPORT, &refused);
    }
}

async fn credentials(server: &TestServer, bearer: &Bearer, document: &mut Document) {
    let member = Bearer::sign_in(server, MEMBER, "laptop").await;
    assert_eq!(with_token(server, &member.token).await.status, 200);
    let app_key = "app-0123456789abcdefghij";
    for token in [&member.token, app_key, "dfp_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", "dfoa_tooshort"] {
        document.assert_shown("get", ACCOUNT, &with_token(server, token).await);
    }
    document.assert_shown("get", ACCOUNT, &Answer::to(get(server, ACCOUNT)).await);
    let (external, _) = database::external_token(server, "eve@idp.example", "laptop").await;
    document.assert_shown("get", LIST, &Answer::to(get(server, LIST).bearer_auth(external)).await);

    let introspect = || Client::new().post(server.inner(INTROSPECT)).json(&json!({"token": bearer.token}));
    document.assert_shown("post", INTROSPECT, &Answer::to(introspect()).await);
    let invalid = introspect().header("enterprise-api-secret-key", "wrong");
    document.assert_shown("post", INTROSPECT, &Answer::to(invalid).await);

    server.advance(15 * 86_400);
    document.assert_shown("get", ACCOUNT, &with_token(server, &member.token).await);
}
