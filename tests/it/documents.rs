//! The generated files under `docs/`. Each test compares a file with its source, and writes it with `UPDATE_DOCS=1`.

mod audit;

use std::{fmt::Write as _, fs, path::Path};

use dify_openapi::testing::{
    config::{SETTINGS, Setting},
    http::pages,
    pipeline::{Credential, Policy, Presence},
};

use crate::support::{
    Answer, Stores, TestServer,
    command::{run_command, succeeded},
};

fn assert_current(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/{name} is not current; run `UPDATE_DOCS=1 cargo test --test it documents`");
}

fn credential(policy: &Policy) -> &'static str {
    match policy.credential {
        Credential::Public if policy.session => "none; a console session adds to the response",
        Credential::Public => "none",
        Credential::Bearer => "bearer token",
        Credential::ConsoleSession => "console session",
        Credential::ApprovalGrant => "SSO approval",
        Credential::Service => "service key",
    }
}

fn edition(policy: &Policy) -> &'static str {
    match (policy.presence, policy.license) {
        (Presence::Everywhere, _) => "all",
        (Presence::Standalone, _) => "standalone",
        (Presence::Connections, _) => "standalone, `ENABLE_CONNECTIONS`",
        (Presence::Enterprise, false) => "enterprise",
        (Presence::Enterprise, true) => "enterprise, licensed",
    }
}

/// The limits that a request is charged to; `token` applies to all bearer tokens, `service_key` to wrong service keys.
fn limits(policy: &Policy) -> String {
    let of_credential = match policy.credential {
        Credential::Bearer => Some("token"),
        Credential::Service => Some("service_key"),
        _ => None,
    };
    let names = of_credential.into_iter().chain(policy.limits.iter().map(|limit| limit.as_str()));
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn route(policy: &Policy) -> String {
    policy.http.map(|http| format!("`{} {}`", http.verb, http.path)).unwrap_or_default()
}

/// The rows of a table by path and verb; methods without a route come last.
fn sorted<'a>(policies: impl Iterator<Item = &'a Policy>) -> Vec<&'a Policy> {
    let mut policies: Vec<_> = policies.collect();
    policies.sort_by_key(|policy| policy.http.map_or((true, "", ""), |http| (false, http.path, http.verb)));
    policies
}

fn routes_document() -> String {
    let mut text = "# Routes\n\n\
        Generated from the policies in `proto/` and in `src/http/pages/`; \
        `UPDATE_DOCS=1 cargo test --test it documents` writes it.\n\n\
        Limits are named as in `OPENAPI_RATE_LIMITS`. A method without a gRPC name is for browsers and is not served \
        over gRPC; one without a route is served over gRPC only. Methods that take the service key are on the \
        listeners of internal services.\n\n\
        ## Methods\n\n\
        | route | gRPC method | credential | subjects | scope | limits | edition |\n\
        |---|---|---|---|---|---|---|\n"
        .to_owned();
    for policy in sorted(Policy::all()) {
        let method = if policy.json_only { String::new() } else { format!("`{}`", policy.method) };
        let subjects: Vec<_> = policy.subjects.iter().map(|subject| format!("`{}`", subject.as_str())).collect();
        let cells = [
            route(policy),
            method,
            credential(policy).to_owned(),
            subjects.join(", "),
            policy.scope.map(|scope| format!("`{}`", scope.as_str())).unwrap_or_default(),
            limits(policy),
            edition(policy).to_owned(),
        ];
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    }
    text += "\n## Pages\n\n| route | credential | limits | edition |\n|---|---|---|---|\n";
    for policy in sorted(pages::policies()) {
        let cells =
            [route(policy), credential(policy).to_owned(), limits(policy), edition(policy).to_owned()].join(" | ");
        writeln!(text, "| {cells} |").unwrap();
    }
    text
}

#[test]
fn routes_document_is_current() {
    assert_current("routes.md", &routes_document());
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_document_is_current() {
    let (printed, _) = succeeded(run_command::<&str, &str>([], &["openapi"], ""));
    assert_current("openapi.json", &printed);
    let server = TestServer::start(Stores::Sqlite).await;
    let response = Answer::to(reqwest::Client::new().get(server.at("/openapi/v1/openapi.json"))).await;
    assert_eq!(response.json(), serde_json::from_str::<serde_json::Value>(&printed).unwrap(), "served and printed");
}

#[test]
fn openapi_documents_of_internal_routes_are_current() {
    for (name, options) in [
        ("openapi_internal.json", &["openapi", "--internal"][..]),
        ("openapi_internal_enterprise.json", &["openapi", "--internal", "--enterprise"]),
    ] {
        let (printed, _) = succeeded(run_command::<&str, &str>([], options, ""));
        assert_current(name, &printed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_document_of_the_enterprise_edition_is_current() {
    let (printed, _) = succeeded(run_command::<&str, &str>([], &["openapi", "--enterprise"], ""));
    assert_current("openapi_enterprise.json", &printed);
    let server = TestServer::start_with(Stores::Sqlite, &[("ENTERPRISE_ENABLED", "true")]).await;
    let response = Answer::to(reqwest::Client::new().get(server.at("/openapi/v1/openapi.json"))).await;
    assert_eq!(response.json(), serde_json::from_str::<serde_json::Value>(&printed).unwrap(), "served and printed");
}

/// The cells of a table row; `|` would end a cell.
fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn default_of(setting: &Setting) -> String {
    match (setting.default, setting.dev_default) {
        (Some(default), Some(dev)) => format!("`{default}`; `{dev}` in `dev`"),
        (Some(default), None) => format!("`{default}`"),
        (None, _) => setting.when_unset.unwrap_or("–").to_owned(),
    }
}

fn configuration_document() -> String {
    let mut text = "# Configuration\n\n\
        Generated from `src/config/settings.rs`; `UPDATE_DOCS=1 cargo test --test it documents` writes it.\n\n\
        The server is configured by environment variables. Names are Dify's where they exist. An empty value counts as \
        unset. All values are checked before a port opens, and every problem is reported with its fix.\n\n\
        `dify-openapi check-config` prints the effective configuration without secrets. `dev` reads every setting except \
        those of the database, Redis and listeners.\n"
        .to_owned();
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            write!(text, "\n## {section}\n\n| setting | default | secret | meaning |\n|---|---|---|---|\n").unwrap();
        }
        let secret = if setting.is_secret { "yes" } else { "" };
        text += &row(&[&format!("`{setting}`"), &default_of(setting), secret, setting.description]);
    }
    text
}

#[test]
fn configuration_document_is_current() {
    assert_current("configuration.md", &configuration_document());
}
