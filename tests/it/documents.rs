//! The generated files under `docs/`. Each test compares a file with its source, and writes it with `UPDATE_DOCS=1`.

use std::{fmt::Write as _, fs, path::Path};

use dify_openapi::testing::{
    http::pages,
    pipeline::{Credential, POLICIES, Policy, Presence},
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
        (Presence::Enterprise, false) => "enterprise",
        (Presence::Enterprise, true) => "enterprise, licensed",
    }
}

/// The limits that a request is charged to; `token` applies to all bearer tokens.
fn limits(policy: &Policy) -> String {
    let token = (policy.credential == Credential::Bearer).then_some("token");
    let names = token.into_iter().chain(policy.limits.iter().map(|limit| limit.as_str()));
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
    for policy in sorted(POLICIES.iter()) {
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
