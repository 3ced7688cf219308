//! Every method with every credential, over JSON and gRPC. The matrix must have exactly the methods of the policy
//! table.

mod credentials;
mod pages;

use std::collections::BTreeSet;

use dify_openapi::testing::pipeline::{Credential, ErrorShape, HttpRoute, POLICIES, Policy, Presence};
use reqwest::Method;
use serde_json::json;
use tonic::transport::Channel;

use self::credentials::{Credentials, Kind};
use crate::support::{Answer, Stores, TestServer, grpc, server::no_limits};

const OK: &str = "ok";
const MISSING: &str = "bearer_missing";
const INVALID: &str = "bearer_invalid";
const EXTERNAL: &str = "wrong_surface";
const NO_SESSION: &str = "no_session";
const DEAD_SESSION: &str = "invalid_session";
const CSRF: &str = "csrf_mismatch";
const BAD: &str = "invalid_request";
const USER_CODE: &str = "invalid_user_code";
const NOT_FOUND: &str = "not_found";
const NO_WORKSPACE: &str = "workspace_id_required";
const NO_CLIENT: &str = "oauth_client_missing";
const NO_SIGN_IN: &str = "sso_not_configured";

/// The outcome of each method with an empty message, for each credential of `Kind::ALL`. Over gRPC, methods for
/// browsers are UNIMPLEMENTED; all others have the same outcome.
const MATRIX: &[(&str, [&str; 17])] = &[
    ("IdentityService.GetAccount", bearer(OK, OK)),
    ("SessionService.ListSessions", bearer(OK, OK)),
    ("SessionService.RevokeCurrentSession", bearer(OK, OK)),
    ("SessionService.RevokeSession", bearer(NOT_FOUND, NOT_FOUND)),
    ("WorkspaceService.ListWorkspaces", bearer(OK, EXTERNAL)),
    ("WorkspaceService.GetWorkspace", bearer(NOT_FOUND, EXTERNAL)),
    ("WorkspaceService.SetCurrentWorkspace", bearer(NOT_FOUND, EXTERNAL)),
    ("MemberService.ListMembers", bearer(NOT_FOUND, EXTERNAL)),
    ("MemberService.InviteMember", bearer(NOT_FOUND, EXTERNAL)),
    ("MemberService.RemoveMember", bearer(NOT_FOUND, EXTERNAL)),
    ("MemberService.SetMemberRole", bearer(NOT_FOUND, EXTERNAL)),
    ("DslService.ExportApp", bearer(NOT_FOUND, EXTERNAL)),
    ("DslService.CheckDependencies", bearer(NOT_FOUND, EXTERNAL)),
    ("DslService.ImportApp", bearer(NOT_FOUND, EXTERNAL)),
    ("DslService.ConfirmImport", bearer(NOT_FOUND, EXTERNAL)),
    ("AppService.ListApps", bearer(NO_WORKSPACE, EXTERNAL)),
    ("AppService.DescribeApp", bearer(NOT_FOUND, EXTERNAL)),
    ("AppService.RunApp", bearer(BAD, EXTERNAL)),
    ("FileService.UploadFile", bearer(NOT_FOUND, EXTERNAL)),
    ("RunService.StopRun", bearer(NOT_FOUND, EXTERNAL)),
    ("RunService.GetRunEvents", bearer(NOT_FOUND, NOT_FOUND)),
    ("RunService.GetHumanInputForm", bearer(NOT_FOUND, EXTERNAL)),
    ("RunService.SubmitHumanInputForm", bearer(NOT_FOUND, EXTERNAL)),
    ("SessionService.RevokeToken", [BAD; 17]),
    ("DeviceFlowService.CreateDeviceCode", [BAD; 17]),
    ("DeviceFlowService.PollDeviceToken", [BAD; 17]),
    ("DeviceFlowService.LookupUserCode", [USER_CODE; 17]),
    ("DeviceFlowService.ApproveDevice", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("DeviceFlowService.DenyDevice", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("ConsoleService.Login", cookies([BAD, CSRF, BAD, BAD, BAD], BAD)),
    ("ConsoleService.Logout", cookies([CSRF, CSRF, CSRF, OK, DEAD_SESSION], NO_SESSION)),
    ("ConsoleService.RefreshToken", cookies([OK, CSRF, OK, OK, DEAD_SESSION], DEAD_SESSION)),
    ("ConsoleService.GetProfile", cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION)),
    ("ConsoleService.ListConsoleWorkspaces", cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION)),
    ("ConsoleService.SwitchWorkspace", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("ConsoleService.GetCurrentWorkspace", cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION)),
    ("ConsoleAppService.ListConsoleApps", cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION)),
    ("ConsoleAppService.CreateConsoleApp", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    (
        "ConsoleAppService.GetConsoleApp",
        cookies([NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, DEAD_SESSION], NO_SESSION),
    ),
    ("ConsoleAppService.EnableConsoleApp", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("ConsoleAppService.SaveDraft", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("ConsoleAppService.PublishDraft", cookies([CSRF, CSRF, CSRF, NOT_FOUND, DEAD_SESSION], NO_SESSION)),
    ("TagService.ListTags", cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION)),
    ("TagService.CreateTag", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("TagService.DeleteTag", cookies([CSRF, CSRF, CSRF, NOT_FOUND, DEAD_SESSION], NO_SESSION)),
    ("TagService.BindTags", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("TagService.UnbindTags", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("SetupService.GetInitStatus", [OK; 17]),
    ("SetupService.ValidateInitPassword", cookies([BAD, CSRF, BAD, BAD, BAD], BAD)),
    ("SetupService.GetSetupStatus", [OK; 17]),
    ("SetupService.SetUp", cookies([BAD, CSRF, BAD, BAD, BAD], BAD)),
    // Single sign-on is not configured, and no credential here is an approval's cookie.
    ("SingleSignOnService.StartSingleSignOn", [NO_SIGN_IN; 17]),
    ("SingleSignOnService.CompleteSingleSignOn", [BAD; 17]),
    ("SingleSignOnService.GetApprovalContext", [NO_SESSION; 17]),
    ("SingleSignOnService.ApproveExternal", [DEAD_SESSION; 17]),
    ("PermittedExternalAppService.ListPermittedExternalApps", bearer(EXTERNAL, OK)),
    ("PermittedExternalAppService.GetPermittedExternalApp", bearer(EXTERNAL, NOT_FOUND)),
    ("PermittedExternalAppService.RunPermittedExternalApp", bearer(EXTERNAL, BAD)),
    // Nothing is configured for the provider.
    (
        "ConnectionConsoleService.StartConnection",
        cookies([NO_CLIENT, NO_CLIENT, NO_CLIENT, NO_CLIENT, DEAD_SESSION], NO_SESSION),
    ),
    ("ConnectionConsoleService.CompleteConnection", [BAD; 17]),
    ("ConnectionConsoleService.GetOAuthClientSchema", cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION)),
    ("ConnectionConsoleService.SetOAuthClient", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("ConnectionConsoleService.GetOAuthClient", cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION)),
    ("ConnectionConsoleService.DeleteOAuthClient", cookies([CSRF, CSRF, CSRF, OK, DEAD_SESSION], NO_SESSION)),
    ("ConnectionConsoleService.ListCredentials", cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION)),
    ("ConnectionConsoleService.GetCredentialSchema", cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION)),
    ("ConnectionConsoleService.AddCredential", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("ConnectionConsoleService.UpdateCredential", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("ConnectionConsoleService.DeleteCredential", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("ConnectionConsoleService.SetDefaultCredential", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("ConnectionService.GetCredentials", service_key(BAD)),
    ("ConnectionService.ListConnections", service_key(BAD)),
    ("ConnectionService.ReportInvalid", service_key(BAD)),
    ("ConnectionService.SetSystemClient", service_key(BAD)),
    ("TokenService.CheckAccessToken", service_key(BAD)),
    ("TokenService.IntrospectToken", service_key(BAD)),
    ("TokenService.ResolveToken", service_key(BAD)),
    ("MetaService.GetHealth", [OK; 17]),
    ("MetaService.GetVersion", [OK; 17]),
    ("MetaService.GetCatalog", [OK; 17]),
];

/// The outcomes on the other paths of methods, over JSON.
const OTHER_PATHS: &[(&str, [&str; 17])] = &[
    ("GET /openapi/v1/apps/{id}", bearer(NOT_FOUND, EXTERNAL)),
    ("POST /openapi/v1/apps/{id}/tasks/{task_id}:stop", bearer(NOT_FOUND, NOT_FOUND)),
    ("GET /openapi/v1/apps/{id}/human-input-forms/{token}", bearer(NOT_FOUND, NOT_FOUND)),
    ("POST /openapi/v1/apps/{id}/human-input-forms/{token}:submit", bearer(NOT_FOUND, NOT_FOUND)),
    ("POST /openapi/v1/apps/{id}:run", bearer(BAD, BAD)),
    ("POST /openapi/v1/apps/{id}/workflow:run", bearer(BAD, BAD)),
    ("POST /openapi/v1/apps/{id}/chat:run", bearer(BAD, BAD)),
    ("POST /openapi/v1/apps/{id}/advanced-chat:run", bearer(BAD, BAD)),
    ("POST /openapi/v1/apps/{id}/completion:run", bearer(BAD, BAD)),
    ("POST /openapi/v1/workspaces/{id}:switch", bearer(NOT_FOUND, EXTERNAL)),
    ("PATCH /openapi/v1/workspaces/{workspace_id}/members/{member_id}", bearer(NOT_FOUND, EXTERNAL)),
    ("GET /openapi/v1/apps/{id}/dsl", bearer(NOT_FOUND, EXTERNAL)),
    ("GET /openapi/v1/apps/{id}/dependencies:check", bearer(NOT_FOUND, EXTERNAL)),
    ("POST /openapi/v1/workspaces/{workspace_id}/apps/imports/{import_id}:confirm", bearer(NOT_FOUND, EXTERNAL)),
    ("POST /openapi/v1/apps/{id}/files", bearer(NOT_FOUND, NOT_FOUND)),
    ("POST /console/api/workspaces/current", cookies([CSRF, CSRF, CSRF, OK, DEAD_SESSION], NO_SESSION)),
    ("POST /console/api/tag-bindings/create", cookies([CSRF, CSRF, CSRF, BAD, DEAD_SESSION], NO_SESSION)),
    ("GET /console/api/oauth/plugin/{organization}/{plugin}/{provider}/{tool}/callback", [BAD; 17]),
    (
        "GET /console/api/workspaces/current/tool-provider/builtin/{organization}/{plugin}/{provider}/credential/info",
        cookies([OK, OK, OK, OK, DEAD_SESSION], NO_SESSION),
    ),
];

/// A method for bearer tokens: the outcome for an account's token and for one of an external identity.
const fn bearer(account: &'static str, external: &'static str) -> [&'static str; 17] {
    let mut row = [MISSING; 17];
    row[2] = "invalid_prefix";
    row[3] = "unknown_token_prefix";
    row[4] = INVALID;
    row[5] = INVALID;
    row[6] = INVALID;
    row[7] = "bearer_expired";
    row[8] = account;
    row[9] = external;
    row
}

/// A method for browsers: the outcomes for cookies without a CSRF token, from a foreign origin, with another CSRF
/// token, complete, and of an invalid session; and the outcome for all other credentials.
const fn cookies(with_cookies: [&'static str; 5], other: &'static str) -> [&'static str; 17] {
    let [without_csrf, foreign_origin, other_csrf, complete, invalid] = with_cookies;
    let mut row = [other; 17];
    row[10] = without_csrf;
    row[11] = foreign_origin;
    row[12] = other_csrf;
    row[13] = complete;
    row[14] = invalid;
    row
}

/// A method for internal services: the outcome for the service key.
const fn service_key(valid: &'static str) -> [&'static str; 17] {
    let mut row = [MISSING; 17];
    row[15] = INVALID;
    row[16] = valid;
    row
}

fn policy(method: &str) -> &'static Policy {
    POLICIES.iter().find(|policy| policy.method == method).unwrap_or_else(|| panic!("there is no method {method}"))
}

/// The policy of a method on another than its first path, `GET /…`.
fn other_path(route: &str) -> &'static Policy {
    let policies = Policy::all().filter(|policy| !POLICIES.iter().any(|first| std::ptr::eq(first, *policy)));
    let mut of_route = policies.filter(|policy| policy.http.is_some_and(|http| route_of(http) == route));
    of_route.next().unwrap_or_else(|| panic!("there is no path {route}"))
}

fn route_of(http: HttpRoute) -> String {
    format!("{} {}", http.verb, http.path)
}

/// Internal methods are served on a separate listener.
fn url(server: &TestServer, policy: &Policy, path: &str) -> String {
    let path = path
        .replace("{id}", "00000000-0000-0000-0000-000000000000")
        .replace("{organization}/{plugin}/{provider}", "langgenius/gmail/gmail")
        .replace("{tool}", "tool")
        .replace("{credential_type}", "oauth2");
    if policy.credential == Credential::Service { server.inner(&path) } else { server.at(&path) }
}

async fn call_over_json(server: &TestServer, policy: &Policy, headers: &[(&'static str, String)]) -> Option<String> {
    let http = policy.http?;
    let method: Method = http.verb.parse().unwrap();
    let takes_a_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let mut request = reqwest::Client::new().request(method, url(server, policy, http.path));
    if takes_a_body {
        request = request.json(&json!({}));
    }
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = Answer::to(request).await;
    if let Some(status) = answer.json()["status"].as_u64() {
        assert_eq!(status, u64::from(answer.status), "{}: the body repeats the status", policy.method);
    }
    assert_eq!(answer.status < 400, answer.code() == OK, "{}: {}", policy.method, answer.text);
    Some(answer.code())
}

async fn call_over_grpc(channel: Channel, policy: &Policy, headers: &[(&'static str, String)]) -> String {
    match grpc::call_empty(channel, policy.grpc_path, headers).await {
        Ok(()) => OK.to_owned(),
        Err(status) => grpc::reason(&status),
    }
}

on_every_database!(
    every_method_has_the_expected_outcome_for_every_credential,
    methods_of_the_enterprise_edition_are_absent_from_the_community_edition
);

async fn every_method_has_the_expected_outcome_for_every_credential(stores: Stores) {
    let limits = no_limits();
    let variables = [("OPENAPI_RATE_LIMITS", limits.as_str()), ("ENTERPRISE_ENABLED", "true")];
    let server = TestServer::start_with(stores, &variables).await;
    assert_matrix(&server, |_| true).await;
}

/// Every other method has the same outcomes in both editions. An absent one exists for no credential.
async fn methods_of_the_enterprise_edition_are_absent_from_the_community_edition(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    assert_matrix(&server, |policy| policy.presence != Presence::Enterprise).await;
}

/// Compares the outcomes with the table. A method that is not present is not found for any credential.
async fn assert_matrix(server: &TestServer, is_present: impl Fn(&Policy) -> bool) {
    let is_enterprise = POLICIES.iter().any(|policy| policy.presence == Presence::Enterprise && is_present(policy));
    let (public, internal) = (grpc::channel(server).await, grpc::internal_channel(server).await);
    let mut wrong = Vec::new();
    for (method, expected) in MATRIX {
        let policy = policy(method);
        let credentials = Credentials::new(server).await;
        for (kind, expected) in Kind::ALL.iter().zip(expected) {
            // Only the Enterprise edition has a license.
            let is_unlicensed = *kind == Kind::ExternalToken && policy.external_license && !is_enterprise;
            let expected = if is_unlicensed { &"license_required" } else { expected };
            let is_absent = !is_present(policy);
            let headers = credentials.headers(*kind).await;
            let found = call_over_json(server, policy, &headers).await;
            let json = if is_absent { NOT_FOUND } else { json_code(policy, expected) };
            if let Some(found) = found.filter(|found| found != json) {
                wrong.push(format!("JSON {method} with {kind:?}: {found}, not {json}"));
            }
            let headers = credentials.headers(*kind).await;
            let expected = if policy.json_only || is_absent { "unimplemented" } else { *expected };
            let internal_only = policy.credential == Credential::Service;
            let found =
                call_over_grpc(if internal_only { internal.clone() } else { public.clone() }, policy, &headers).await;
            if found != expected {
                wrong.push(format!("gRPC {method} with {kind:?}: {found}, not {expected}"));
            }
        }
    }
    for (route, expected) in OTHER_PATHS {
        let policy = other_path(route);
        let credentials = Credentials::new(server).await;
        for (kind, expected) in Kind::ALL.iter().zip(expected) {
            let expected = match kind {
                _ if !is_present(policy) => NOT_FOUND,
                // Only the Enterprise edition has a license.
                Kind::ExternalToken if policy.external_license && !is_enterprise => "license_required",
                _ => expected,
            };
            let found = call_over_json(server, policy, &credentials.headers(*kind).await).await;
            if found.as_deref() != Some(expected) {
                wrong.push(format!("{route} with {kind:?}: {found:?}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The code on the JSON door, where methods for Dify Enterprise have words of their own.
fn json_code(policy: &Policy, expected: &'static str) -> &'static str {
    match expected {
        MISSING | INVALID if policy.errors == ErrorShape::Inner => "invalid inner api key",
        BAD if policy.errors == ErrorShape::Inner => "invalid_token",
        other => other,
    }
}

#[test]
fn matrix_has_every_method_once() {
    let table: BTreeSet<_> = MATRIX.iter().map(|(method, _)| *method).collect();
    assert_eq!(table.len(), MATRIX.len(), "a method has two rows");
    let policies: BTreeSet<_> = POLICIES.iter().map(|policy| policy.method).collect();
    assert_eq!(table, policies);
    let table: BTreeSet<_> = OTHER_PATHS.iter().map(|(route, _)| (*route).to_owned()).collect();
    let first: BTreeSet<_> = POLICIES.iter().filter_map(|policy| policy.http.map(route_of)).collect();
    let all: BTreeSet<_> = Policy::all().filter_map(|policy| policy.http.map(route_of)).collect();
    assert_eq!(table, all.difference(&first).cloned().collect());
}
