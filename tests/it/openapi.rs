//! `GET /openapi/v1/openapi.json`: the document matches the server. The other routes have a document of their own.

mod error_examples;

use std::collections::BTreeSet;

use dify_openapi::testing::{
    http::internal_openapi,
    pipeline::{Credential, ErrorShape, Policy, Presence},
};
use serde_json::Value;

use crate::support::{Browser, Stores, TestServer};

/// The methods whose success is 201, except uploads.
const CREATING: [&str; 4] = [
    "ConsoleAppService.CreateConsoleApp",
    "MemberService.InviteMember",
    "SetupService.SetUp",
    "SetupService.ValidateInitPassword",
];

async fn public_document() -> Value {
    let server = TestServer::start(Stores::Sqlite).await;
    let (status, document) = Browser::anonymous(&server).get("/openapi/v1/openapi.json").await;
    assert_eq!(status, 200);
    document
}

/// The document of the public API, and that of the console and internal services.
async fn documents() -> [Value; 2] {
    [public_document().await, serde_json::from_str(internal_openapi(false)).unwrap()]
}

fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for verb in operations.as_object().unwrap().keys() {
            described.insert((verb.to_uppercase(), path.clone()));
        }
    }
    described
}

/// Collects every `$ref` below a value.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                found.insert(reference);
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// The methods of the community edition, whose document this is.
fn community() -> impl Iterator<Item = &'static Policy> {
    Policy::all().filter(|policy| policy.presence != Presence::Enterprise)
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_describe_exactly_the_json_routes() {
    let [public, internal] = documents().await.map(|document| operations(&document));
    let routes = community().filter_map(|policy| policy.http).map(|http| (http.verb.to_owned(), http.path.to_owned()));
    let (expected_public, expected_internal) = routes.partition(|(_, path)| path.starts_with("/openapi/v1/"));
    assert_eq!(public, expected_public);
    assert_eq!(internal, expected_internal);
    assert!(internal.contains(&("POST".to_owned(), "/console/api/login".to_owned())), "{internal:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_describe_credentials_errors_and_path_parameters() {
    let [public, internal] = documents().await;
    let mut ids = BTreeSet::new();
    for policy in community() {
        let Some(http) = policy.http else { continue };
        let document = if http.path.starts_with("/openapi/v1/") { &public } else { &internal };
        let operation = &document["paths"][http.path][http.verb.to_lowercase()];
        let name = format!("{} on {}", policy.method, http.path);
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}");
        let (summary, description) = (operation["summary"].as_str(), operation["description"].as_str());
        assert!(summary.is_some_and(|text| (1..=120).contains(&text.chars().count())), "{name}: {summary:?}");
        assert!(description.is_some_and(|text| text.contains("Needs ")), "{name}: {description:?}");
        let schemes: Vec<_> =
            operation["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys()).collect();
        let expected: &[&str] = match policy.credential {
            Credential::Public => &[],
            Credential::Bearer => &["Bearer"],
            Credential::ConsoleSession if policy.approval_grant => &["ConsoleSession", "Csrf", "ApprovalGrant", "Csrf"],
            Credential::ConsoleSession if http.verb == "GET" => &["ConsoleSession"],
            Credential::ConsoleSession => &["ConsoleSession", "Csrf"],
            Credential::ApprovalGrant => &["ApprovalGrant", "Csrf"],
            Credential::Service => &["Service"],
        };
        assert_eq!(schemes, expected, "{name}");
        for scheme in schemes {
            assert!(document["components"]["securitySchemes"][scheme].is_object(), "{name}: {scheme}");
        }
        let error = match policy.errors {
            ErrorShape::Envelope => "Error",
            ErrorShape::OAuth => "OAuthError",
            ErrorShape::Console => "ConsoleError",
            ErrorShape::Inner => "InnerError",
        };
        let reference = &operation["responses"]["404"]["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(reference, &format!("#/components/schemas/{error}"), "{name}");
        let success = match policy {
            policy if policy.redirects => "302",
            policy if policy.uploads || CREATING.contains(&policy.method) => "201",
            policy if policy.method == "TagService.DeleteTag" => "204",
            _ => "200",
        };
        assert!(operation["responses"][success].is_object(), "{name}");
        for parameter in http.path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0)) {
            let declared = operation["parameters"].as_array().unwrap().iter();
            let found: Vec<_> = declared.filter(|one| one["name"] == parameter).collect();
            assert_eq!(
                (found.len(), &found[0]["in"], &found[0]["required"]),
                (1, &"path".into(), &true.into()),
                "{name}"
            );
        }
        let content = &operation["requestBody"]["content"];
        assert_eq!(content["application/x-www-form-urlencoded"].is_object(), policy.form, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_resolves_and_every_alternative_has_a_name() {
    for document in documents().await {
        assert_eq!((&document["openapi"], &document["servers"][0]["url"]), (&"3.1.0".into(), &"/".into()));
        let (mut found, mut unnamed) = (BTreeSet::new(), Vec::new());
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some_and(Value::is_object), "{reference}");
        }
        unnamed_alternatives(&document, &mut unnamed);
        assert!(unnamed.is_empty(), "{unnamed:?}");
    }
}

/// Collects the alternatives below a value that have no schema of their own; generators would invent their names.
fn unnamed_alternatives<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            let alternatives = ["oneOf", "anyOf"].iter().filter_map(|word| members.get(*word)?.as_array()).flatten();
            found.extend(alternatives.filter(|one| one["$ref"].is_null() && one["type"] != "null"));
            members.values().for_each(|member| unnamed_alternatives(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| unnamed_alternatives(item, found)),
        _ => {}
    }
}
