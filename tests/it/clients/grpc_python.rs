//! A Python client that is generated from the protos.

use serde_json::json;

use crate::support::{
    Browser, TestServer,
    python::Script,
    server::{OWNER, SERVICE_KEY},
};

on_both_stores! {
    async fn it_calls_every_service_and_reads_the_rich_errors(server: TestServer) {
        let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
        let public = server.url.strip_prefix("http://").unwrap();
        let internal = server.running().bound.grpc.unwrap().to_string();
        let Some(mut client) = Script::start("every_service.py", &[protos, public, &internal, SERVICE_KEY]) else { return };
        let user_code = client.next()["user_code"].as_str().unwrap().to_owned();
        assert_eq!(Browser::signed_in(&server, OWNER).await.approve(&user_code).await.0, 200);
        server.advance(10);
        let mut found = client.go_on();
        let left = found.as_object_mut().unwrap().remove("left").unwrap();
        assert_wire!(found, @r#"
        {
          "active": true,
          "apps": [
            0
          ],
          "email": "demo@example.com",
          "errors": {
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
          },
          "resolved": true,
          "revoked": "revoked",
          "sessions": [
            "python"
          ],
          "version": "1.14.2",
          "workspaces": [
            "Demo Workspace",
            "Second Workspace"
          ]
        }
        "#);
        let left = left.as_object().unwrap();
        let unimplemented = json!({"code": "UNIMPLEMENTED", "reason": "UNIMPLEMENTED", "domain": "openapi.dify"});
        assert!(left.values().all(|answer| *answer == unimplemented), "{left:?}");
        let services: std::collections::BTreeSet<_> = left.keys().filter_map(|name| name.split('.').next()).collect();
        // Of services that are reached over gRPC, only the browser's two methods and the internal ones are left.
        assert_eq!(services.into_iter().collect::<Vec<_>>(), ["ConsoleService", "DeviceFlowService", "TokenService"]);
    }
}
