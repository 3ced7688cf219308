//! These routes are absent in the community edition.

use super::*;
use crate::support::grpc;

on_both_stores!(routes_are_absent_and_charge_no_limit);

async fn routes_are_absent_and_charge_no_limit(stores: Stores) {
    let limits = "sso_initiate=1/1h,approve_external=1/1h,approve=1/1h";
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", limits)]).await;
    let device = Device::start(&server, "laptop").await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let start = format!("{START}?user_code={}", device.user_code);
    let confirm = "/openapi/v1/oauth/device/confirm";
    let routes = [
        (Method::GET, start.as_str()),
        (Method::GET, COMPLETE),
        (Method::GET, CONTEXT),
        (Method::POST, APPROVE),
        (Method::GET, confirm),
        (Method::POST, "/openapi/v1/oauth/device/confirm/approve"),
        (Method::POST, "/openapi/v1/oauth/device/confirm/deny"),
        (Method::GET, "/openapi/v1/oauth/device/done/approved"),
        (Method::GET, "/openapi/v1/oauth/device/assets/pages.css"),
        (Method::GET, "/signin/sso"),
    ];
    for (method, path) in routes {
        for _ in 0..3 {
            let request = browser.request(method.clone(), path).json(&json!({"user_code": device.user_code}));
            let answer = Answer::to(request).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
            if answer.header("content-type") == "application/json" {
                assert_eq!(answer.code(), "not_found", "{method} {path}");
            }
        }
    }
    let channel = grpc::channel(&server).await;
    for method in ["StartSingleSignOn", "CompleteSingleSignOn", "GetApprovalContext", "ApproveExternal"] {
        let path = format!("/dify.openapi.v1.SingleSignOnService/{method}");
        let status = grpc::call_empty(channel.clone(), &path, &[]).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unimplemented, "{method}");
    }
    // An approval cookie is no credential here, and no limit was charged.
    let page = Answer::to(browser.bare(Method::GET, "/device")).await;
    assert!(!page.text.contains("name=\"sso\""), "no button");
    assert_eq!(browser.approve(&device.user_code).await.0, 200);
}
