//! A Python client that is generated from the protos.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};

use crate::support::{
    Bearer, Browser, Stores, TestServer, apps, forms,
    python::Script,
    server::{OWNER, SERVICE_KEY},
};

/// The names of all methods in the proto files, like `AppService.RunApp`.
fn methods(directory: &Path) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let mut service = String::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("service"), Some(name)) => name.clone_into(&mut service),
                (Some("rpc"), Some(rest)) => {
                    let name = rest.split('(').next().unwrap();
                    methods.insert(format!("{service}.{name}"));
                }
                _ => {}
            }
        }
    }
    methods
}

/// Checks what the client read of the demo apps, including Structs and stream messages.
fn assert_apps_were_used(used: Value) {
    assert_wire!(used, @r#"
    {
      "answer": [
        "one two three"
      ],
      "apps": [
        6,
        "Parrot: chat",
        "Translator: completion",
        "Detective: agent-chat",
        "Concierge: advanced-chat",
        "Greeting: workflow",
        "Asker: workflow"
      ],
      "events": [
        [
          "message",
          "one"
        ],
        [
          "message",
          " two"
        ],
        [
          "message",
          " three"
        ],
        [
          "message_end",
          null
        ]
      ],
      "form": [
        {
          "text-input": {
            "default": "sunny",
            "label": "Mood",
            "max_length": 48.0,
            "required": false,
            "variable": "mood"
          }
        }
      ],
      "opening statement": "Hello! I am Parrot. Say something, and I say it back.",
      "schema of mood": {
        "maxLength": 48.0,
        "title": "Mood",
        "type": "string"
      },
      "tokens": 3
    }
    "#);
}

/// Checks that the client called every method, and that each method without a successful call is UNIMPLEMENTED.
fn assert_every_method_was_called(protos: &Path, left: &Value, answered: Value) {
    let left = left.as_object().unwrap();
    let answered: BTreeSet<String> = serde_json::from_value(answered).unwrap();
    let mut called = answered.clone();
    called.extend(left.keys().cloned());
    assert_eq!(called, methods(&protos.join("dify/openapi/v1")), "every method of every service");
    let unimplemented = json!({"code": "UNIMPLEMENTED", "reason": "UNIMPLEMENTED", "domain": "openapi.dify"});
    assert!(left.values().all(|answer| *answer == unimplemented), "{left:?}");
    // The methods that never succeeded are those for browsers and those of the Enterprise edition.
    let unavailable: Vec<_> = left.keys().filter(|name| !answered.contains(*name)).collect();
    assert_eq!(
        unavailable,
        [
            "ConnectionConsoleService.AddCredential",
            "ConnectionConsoleService.CompleteConnection",
            "ConnectionConsoleService.DeleteCredential",
            "ConnectionConsoleService.DeleteOAuthClient",
            "ConnectionConsoleService.GetCredentialSchema",
            "ConnectionConsoleService.GetOAuthClient",
            "ConnectionConsoleService.GetOAuthClientSchema",
            "ConnectionConsoleService.ListCredentials",
            "ConnectionConsoleService.SetDefaultCredential",
            "ConnectionConsoleService.SetOAuthClient",
            "ConnectionConsoleService.StartConnection",
            "ConnectionConsoleService.UpdateCredential",
            // An API key that is rejected has to be entered again.
            "ConnectionService.ReportInvalid",
            "ConsoleAppService.CreateConsoleApp",
            "ConsoleAppService.EnableConsoleApp",
            "ConsoleAppService.GetConsoleApp",
            "ConsoleAppService.ListConsoleApps",
            "ConsoleAppService.PublishDraft",
            "ConsoleAppService.SaveDraft",
            "ConsoleService.GetCurrentWorkspace",
            "ConsoleService.GetProfile",
            "ConsoleService.ListConsoleWorkspaces",
            "ConsoleService.Login",
            "ConsoleService.Logout",
            "ConsoleService.RefreshToken",
            "ConsoleService.SwitchWorkspace",
            "DeviceFlowService.ApproveDevice",
            "DeviceFlowService.DenyDevice",
            "PermittedExternalAppService.GetPermittedExternalApp",
            "PermittedExternalAppService.ListPermittedExternalApps",
            "PermittedExternalAppService.RunPermittedExternalApp",
            "SetupService.GetInitStatus",
            "SetupService.GetSetupStatus",
            "SetupService.SetUp",
            "SetupService.ValidateInitPassword",
            "SingleSignOnService.ApproveExternal",
            "SingleSignOnService.CompleteSingleSignOn",
            "SingleSignOnService.GetApprovalContext",
            "SingleSignOnService.StartSingleSignOn",
            "TagService.BindTags",
            "TagService.CreateTag",
            "TagService.DeleteTag",
            "TagService.ListTags",
            "TagService.UnbindTags",
            "TokenService.CheckAccessToken",
        ]
    );
}

fn assert_errors(errors: serde_json::Value) {
    assert_wire!(errors, @r#"
    {
      "no bearer": {
        "code": "UNAUTHENTICATED",
        "domain": "openapi.dify",
        "reason": "BEARER_MISSING"
      },
      "nothing to run": {
        "code": "NOT_FOUND",
        "domain": "openapi.dify",
        "reason": "NOT_FOUND"
      },
      "out of range": {
        "code": "INVALID_ARGUMENT",
        "domain": "openapi.dify",
        "fields": [
          "limit"
        ],
        "reason": "INVALID_PARAM"
      },
      "pending": {
        "code": "FAILED_PRECONDITION",
        "domain": "openapi.dify",
        "reason": "AUTHORIZATION_PENDING"
      },
      "rejected connection": {
        "code": "FAILED_PRECONDITION",
        "domain": "openapi.dify",
        "reason": "REAUTHORIZATION_REQUIRED"
      },
      "revoked": {
        "code": "UNAUTHENTICATED",
        "domain": "openapi.dify",
        "reason": "BEARER_INVALID"
      },
      "slow_down": {
        "code": "RESOURCE_EXHAUSTED",
        "domain": "openapi.dify",
        "reason": "SLOW_DOWN",
        "retry_seconds": 10
      },
      "unknown app": {
        "code": "NOT_FOUND",
        "domain": "openapi.dify",
        "reason": "NOT_FOUND"
      },
      "unknown session": {
        "code": "NOT_FOUND",
        "domain": "openapi.dify",
        "reason": "NOT_FOUND"
      }
    }
    "#);
}

on_both_stores!(python_client_calls_every_service_and_reads_error_details);

/// Connects the owner to GitHub with an API key.
async fn add_api_key(server: &TestServer) {
    let key = json!({"credentials": {"access_tokens": "key-of-the-tests"}});
    let add = "/console/api/workspaces/current/tool-provider/builtin/langgenius/github/github/add";
    assert_eq!(Browser::signed_in(server, OWNER).await.post(add, &key).await.0, 200);
}

async fn python_client_calls_every_service_and_reads_error_details(stores: Stores) {
    let server = TestServer::start(stores).await;
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let public = server.url.strip_prefix("http://").unwrap();
    let internal = server.running().bound.grpc.unwrap().to_string();
    let workspace = apps::import_demo(&server).await;
    forms::asking_app_in(&server, &workspace, "workflow").await;
    add_api_key(&server).await;
    let old = Bearer::sign_in(&server, OWNER, "old laptop").await;
    let Some(mut client) = Script::start("every_service.py", &[protos, public, &internal, SERVICE_KEY]) else { return };
    let user_code = client.next()["user_code"].as_str().unwrap().to_owned();
    assert_eq!(Browser::signed_in(&server, OWNER).await.approve(&user_code).await.0, 200);
    server.advance(10);
    let mut found = client.resume();
    let left = found.as_object_mut().unwrap().remove("left").unwrap();
    let answered = found.as_object_mut().unwrap().remove("answered").unwrap();
    assert_apps_were_used(found.as_object_mut().unwrap().remove("use").unwrap());
    assert_errors(found.as_object_mut().unwrap().remove("errors").unwrap());
    assert_wire!(found, @r#"
    {
      "active": true,
      "connection": [
        "api-key",
        {
          "access_tokens": "key-of-the-tests"
        },
        -1
      ],
      "email": "demo@example.com",
      "files": [
        "pending",
        "completed",
        "failed",
        0
      ],
      "members": [
        "demo@example.com: owner, active",
        "member@example.com: normal, active",
        "grace@example.com: editor, pending"
      ],
      "resolved": true,
      "revoked": [
        "revoked",
        "revoked"
      ],
      "sessions": [
        "old laptop",
        "python"
      ],
      "version": "1.14.2",
      "workspaces": [
        "Demo Workspace",
        "Second Workspace"
      ]
    }
    "#);
    assert_every_method_was_called(Path::new(protos), &left, answered);
    assert_eq!(old.get("/openapi/v1/account").await.0, 401, "revoked by its id");
}
