//! Every method against every credential, through both doors. A method that is not in the table fails, and so does a row
//! for a method that does not exist.

mod credentials;
mod pages;

use std::collections::BTreeSet;

use dify_openapi::testing::pipeline::policy::{Credential, POLICIES, Policy};
use reqwest::Method;
use serde_json::json;
use tonic::transport::Channel;

use self::credentials::{Credentials, Kind};
use crate::support::{Answer, Stores, TestServer, grpc};

const OK: &str = "ok";
const MISS: &str = "bearer_missing";
const APP: &str = "invalid_prefix";
const PRE: &str = "unknown_token_prefix";
const INV: &str = "bearer_invalid";
const EXP: &str = "bearer_expired";
const SURF: &str = "wrong_surface";
const NOSE: &str = "no_session";
const DEAD: &str = "invalid_session";
const CSRF: &str = "csrf_mismatch";
const BAD: &str = "invalid_request";
const CODE: &str = "invalid_user_code";
const GONE: &str = "not_found";
const SPACE: &str = "workspace_id_required";

/// The outcome of each method, called with an empty message, under each credential of `Kind::ALL`. Over gRPC methods for
/// browsers are UNIMPLEMENTED; everything else ends as here.
#[rustfmt::skip]
const MATRIX: &[(&str, [&str; 17])] = &[
    //                                       none  scheme app  dfp  shape unkn rev  exp  dfoa  dfoe  nocsrf foreign bad   cookie dead  wrong right
    ("IdentityService.GetAccount",          [MISS, MISS, APP, PRE, INV, INV, INV, EXP, OK,   OK,   MISS, MISS, MISS, MISS, MISS, MISS, MISS]),
    ("SessionService.ListSessions",         [MISS, MISS, APP, PRE, INV, INV, INV, EXP, OK,   OK,   MISS, MISS, MISS, MISS, MISS, MISS, MISS]),
    ("SessionService.RevokeCurrentSession", [MISS, MISS, APP, PRE, INV, INV, INV, EXP, OK,   OK,   MISS, MISS, MISS, MISS, MISS, MISS, MISS]),
    ("SessionService.RevokeSession",        [MISS, MISS, APP, PRE, INV, INV, INV, EXP, GONE, GONE, MISS, MISS, MISS, MISS, MISS, MISS, MISS]),
    ("WorkspaceService.ListWorkspaces",     [MISS, MISS, APP, PRE, INV, INV, INV, EXP, OK,   SURF, MISS, MISS, MISS, MISS, MISS, MISS, MISS]),
    ("WorkspaceService.GetWorkspace",       [MISS, MISS, APP, PRE, INV, INV, INV, EXP, GONE, SURF, MISS, MISS, MISS, MISS, MISS, MISS, MISS]),
    ("AppService.ListApps",                 [MISS, MISS, APP, PRE, INV, INV, INV, EXP, SPACE,SURF, MISS, MISS, MISS, MISS, MISS, MISS, MISS]),
    ("AppService.DescribeApp",              [MISS, MISS, APP, PRE, INV, INV, INV, EXP, GONE, SURF, MISS, MISS, MISS, MISS, MISS, MISS, MISS]),
    ("AppService.RunApp",                   [MISS, MISS, APP, PRE, INV, INV, INV, EXP, BAD,  SURF, MISS, MISS, MISS, MISS, MISS, MISS, MISS]),
    ("SessionService.RevokeToken",          [BAD,  BAD,  BAD, BAD, BAD, BAD, BAD, BAD, BAD,  BAD,  BAD,  BAD,  BAD,  BAD,  BAD,  BAD,  BAD]),
    ("DeviceFlowService.CreateDeviceCode",  [BAD,  BAD,  BAD, BAD, BAD, BAD, BAD, BAD, BAD,  BAD,  BAD,  BAD,  BAD,  BAD,  BAD,  BAD,  BAD]),
    ("DeviceFlowService.PollDeviceToken",   [BAD,  BAD,  BAD, BAD, BAD, BAD, BAD, BAD, BAD,  BAD,  BAD,  BAD,  BAD,  BAD,  BAD,  BAD,  BAD]),
    ("DeviceFlowService.LookupUserCode",    [CODE, CODE, CODE,CODE,CODE,CODE,CODE,CODE,CODE, CODE, CODE, CODE, CODE, CODE, CODE, CODE, CODE]),
    ("DeviceFlowService.ApproveDevice",     [NOSE, NOSE, NOSE,NOSE,NOSE,NOSE,NOSE,NOSE,NOSE, NOSE, CSRF, CSRF, CSRF, BAD,  DEAD, NOSE, NOSE]),
    ("DeviceFlowService.DenyDevice",        [NOSE, NOSE, NOSE,NOSE,NOSE,NOSE,NOSE,NOSE,NOSE, NOSE, CSRF, CSRF, CSRF, BAD,  DEAD, NOSE, NOSE]),
    ("ConsoleService.Login",                [BAD,  BAD,  BAD, BAD, BAD, BAD, BAD, BAD, BAD,  BAD,  BAD,  CSRF, BAD,  BAD,  BAD,  BAD,  BAD]),
    ("ConsoleService.Logout",               [NOSE, NOSE, NOSE,NOSE,NOSE,NOSE,NOSE,NOSE,NOSE, NOSE, CSRF, CSRF, CSRF, OK,   DEAD, NOSE, NOSE]),
    ("ConsoleService.RefreshToken",         [DEAD, DEAD, DEAD,DEAD,DEAD,DEAD,DEAD,DEAD,DEAD, DEAD, OK,   CSRF, OK,   OK,   DEAD, DEAD, DEAD]),
    ("ConsoleService.GetProfile",           [NOSE, NOSE, NOSE,NOSE,NOSE,NOSE,NOSE,NOSE,NOSE, NOSE, OK,   OK,   OK,   OK,   DEAD, NOSE, NOSE]),
    ("ConsoleService.ListConsoleWorkspaces",[NOSE, NOSE, NOSE,NOSE,NOSE,NOSE,NOSE,NOSE,NOSE, NOSE, OK,   OK,   OK,   OK,   DEAD, NOSE, NOSE]),
    ("ConsoleService.SwitchWorkspace",      [NOSE, NOSE, NOSE,NOSE,NOSE,NOSE,NOSE,NOSE,NOSE, NOSE, CSRF, CSRF, CSRF, BAD,  DEAD, NOSE, NOSE]),
    ("TokenService.IntrospectToken",        [MISS, MISS, MISS,MISS,MISS,MISS,MISS,MISS,MISS, MISS, MISS, MISS, MISS, MISS, MISS, INV,  BAD ]),
    ("TokenService.ResolveToken",           [MISS, MISS, MISS,MISS,MISS,MISS,MISS,MISS,MISS, MISS, MISS, MISS, MISS, MISS, MISS, INV,  BAD ]),
    ("MetaService.GetHealth",               [OK,   OK,   OK,  OK,  OK,  OK,  OK,  OK,  OK,   OK,   OK,   OK,   OK,   OK,   OK,   OK,   OK  ]),
    ("MetaService.GetVersion",              [OK,   OK,   OK,  OK,  OK,  OK,  OK,  OK,  OK,   OK,   OK,   OK,   OK,   OK,   OK,   OK,   OK  ]),
];

/// Limits are not what this is about.
const NO_LIMITS: &str = "token=0,account=0,device_code=0,device_token=0,lookup=0,user_code=0,unknown_bearer=0,approve=0,revoke=0,refresh=0,login=0";

fn policy(method: &str) -> &'static Policy {
    POLICIES.iter().find(|policy| policy.method == method).unwrap_or_else(|| panic!("there is no method {method}"))
}

/// Internal methods stand on a listener of their own.
fn url(server: &TestServer, policy: &Policy, path: &str) -> String {
    let path = path.replace("{id}", "00000000-0000-0000-0000-000000000000");
    if policy.credential == Credential::Service { server.inner(&path) } else { server.at(&path) }
}

async fn call_over_json(server: &TestServer, policy: &Policy, headers: &[(&'static str, String)]) -> Option<String> {
    let http = policy.http?;
    let method: Method = http.verb.parse().unwrap();
    let takes_a_body = method == Method::POST;
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

on_every_database!(every_method_has_the_expected_outcome_for_every_credential);

async fn every_method_has_the_expected_outcome_for_every_credential(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", NO_LIMITS)]).await;
    let (public, internal) = (grpc::channel(&server).await, grpc::internal_channel(&server).await);
    let mut wrong = Vec::new();
    for (method, expected) in MATRIX {
        let policy = policy(method);
        let credentials = Credentials::new(&server).await;
        for (kind, expected) in Kind::ALL.iter().zip(expected) {
            let headers = credentials.headers(*kind).await;
            let found = call_over_json(&server, policy, &headers).await;
            if let Some(found) = found.filter(|found| found != expected) {
                wrong.push(format!("JSON {method} with {kind:?}: {found}, not {expected}"));
            }
            let headers = credentials.headers(*kind).await;
            let expected = if policy.json_only { "unimplemented" } else { expected };
            let internal_only = policy.credential == Credential::Service;
            let found =
                call_over_grpc(if internal_only { internal.clone() } else { public.clone() }, policy, &headers).await;
            if found != expected {
                wrong.push(format!("gRPC {method} with {kind:?}: {found}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn matrix_has_every_method_once() {
    let table: BTreeSet<_> = MATRIX.iter().map(|(method, _)| *method).collect();
    assert_eq!(table.len(), MATRIX.len(), "a method stands there twice");
    let policies: BTreeSet<_> = POLICIES.iter().map(|policy| policy.method).collect();
    assert_eq!(table, policies);
}
