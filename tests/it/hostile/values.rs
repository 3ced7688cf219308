//! Malformed ids, pages, codes and labels over JSON and gRPC.

use dify_openapi::testing::rpc::{
    Object,
    proto::{
        CreateDeviceCodeRequest, GetWorkspaceRequest, ListSessionsRequest, LookupUserCodeRequest,
        PollDeviceTokenRequest, RevokeSessionRequest, RunAppRequest,
    },
};
use reqwest::Method;
use serde_json::json;
use tonic::Code;

use super::percent;
use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    cli_device::form_request,
    grpc::{Clients, channel, reason, with_bearer},
    server::{OWNER, PASSWORD},
};

/// Characters that could mislead a reader or truncate a text.
const MISLEADING: [&str; 9] = [
    "nul\0",
    "bell\u{7}",
    "two\nlines",
    "esc\u{1b}[31m",
    "\u{85}",
    "\u{202e}txt",
    "a\u{2066}b",
    "\u{200b}",
    "\u{feff}",
];

on_every_database!(
    malformed_ids_return_not_found,
    extreme_pages_are_empty_or_rejected,
    misleading_labels_are_rejected_over_form_and_grpc,
    unusual_texts_return_4xx
);

async fn malformed_ids_return_not_found(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut clients = Clients::on(channel(&server).await);
    let long = "a".repeat(5_000);
    for id in [
        "none",
        "0",
        "-1",
        "null",
        "nul\0",
        "\u{202e}",
        "' OR 1=1 --",
        "{}",
        "..",
        &long,
        "00000000-0000-0000-0000-00000000000g",
    ] {
        let path = percent(id);
        let workspace = Answer::to(bearer.request(Method::GET, &format!("/openapi/v1/workspaces/{path}"))).await;
        assert_eq!(workspace.outcome(), (404, "not_found".to_owned()), "{id:.40?}");
        let session = Answer::to(bearer.request(Method::DELETE, &format!("/openapi/v1/account/sessions/{path}"))).await;
        assert_eq!(session.outcome(), (404, "not_found".to_owned()), "{id:.40?}");
        let request = with_bearer(GetWorkspaceRequest { id: id.to_owned() }, &bearer.token);
        assert_eq!(clients.workspace.get_workspace(request).await.unwrap_err().code(), Code::NotFound, "{id:.40?}");
        let request = with_bearer(RevokeSessionRequest { id: id.to_owned() }, &bearer.token);
        assert_eq!(clients.session.revoke_session(request).await.unwrap_err().code(), Code::NotFound, "{id:.40?}");
        let run = bearer.request(Method::POST, &format!("/openapi/v1/apps/{path}/run")).json(&json!({"inputs": {}}));
        assert_eq!(Answer::to(run).await.outcome(), (404, "not_found".to_owned()), "{id:.40?}");
        let request = with_bearer(
            RunAppRequest { id: id.to_owned(), inputs: Some(Object::default()), ..RunAppRequest::default() },
            &bearer.token,
        );
        assert_eq!(clients.app.run_app(request).await.unwrap_err().code(), Code::NotFound, "{id:.40?}");
    }
    let not_utf8 = Answer::to(bearer.request(Method::GET, "/openapi/v1/workspaces/%ff%fe")).await;
    assert_eq!(not_utf8.outcome(), (404, "not_found".to_owned()));
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200, "nothing was revoked");
}

async fn extreme_pages_are_empty_or_rejected(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut clients = Clients::on(channel(&server).await);
    for query in [
        "page=0",
        "page=-1",
        "page=2147483648",
        "page=99999999999999999999",
        "page=1e3",
        "page=0x1",
        "page=1.0",
        "page=",
        "page=%00",
        "page=%EF%BC%91",
        "page=%ff",
        "limit=0",
        "limit=201",
        "limit=-5",
        "limit=NaN",
        "page=1&page=1",
        "page[]=1",
        "unknown=1",
        "%ff=1",
    ] {
        let answer = Answer::to(bearer.request(Method::GET, &format!("/openapi/v1/account/sessions?{query}"))).await;
        assert_eq!(answer.outcome(), (422, "invalid_param".to_owned()), "{query}");
    }
    let (status, last) = bearer.get("/openapi/v1/account/sessions?page=2147483647&limit=200").await;
    assert_eq!((status, &last["data"], &last["has_more"], &last["total"]), (200, &json!([]), &json!(false), &json!(1)));
    for (page, limit) in [(Some(i32::MIN), None), (Some(0), None), (None, Some(i32::MAX)), (None, Some(-1))] {
        let request = with_bearer(ListSessionsRequest { page, limit }, &bearer.token);
        let refused = clients.session.list_sessions(request).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "invalid_param"));
    }
    let request = with_bearer(ListSessionsRequest { page: Some(i32::MAX), limit: Some(200) }, &bearer.token);
    assert!(clients.session.list_sessions(request).await.unwrap().into_inner().data.is_empty());
}

async fn misleading_labels_are_rejected_over_form_and_grpc(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let mut clients = Clients::on(channel(&server).await);
    // Inside of the label, at either end, and alone.
    for label in MISLEADING
        .iter()
        .flat_map(|mark| [format!("a{mark}b"), format!("{mark}a"), format!("a{mark}"), (*mark).to_owned()])
    {
        let form = form_request(
            &server,
            "/openapi/v1/oauth/device/code",
            &format!("client_id=difyctl&device_label={}", percent(&label)),
        );
        assert_eq!(Answer::to(form).await.outcome(), (400, "invalid_request".to_owned()), "{label:?}");
        let request = CreateDeviceCodeRequest { client_id: "difyctl".to_owned(), device_label: Some(label.clone()) };
        let refused = clients.device_flow.create_device_code(request).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::InvalidArgument, "invalid_request"),
            "{label:?}"
        );
    }
}

async fn unusual_texts_return_4xx(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let mut clients = Clients::on(channel(&server).await);
    let long = "A".repeat(1_000);
    for text in MISLEADING.into_iter().chain(["ＡＢＣＤＥＦＧＨ", "ß", "🦀🦀🦀🦀🦀🦀🦀🦀", &long])
    {
        assert_eq!(Device::request_codes(&server, &json!({"client_id": text})).await.status, 400, "{text:.20?}");
        let polled = Device::poll_with(&server, &json!({"client_id": "difyctl", "device_code": text})).await;
        assert_eq!(polled.outcome(), (400, "expired_token".to_owned()), "{text:.20?}");
        let poll =
            PollDeviceTokenRequest { device_code: text.to_owned(), client_id: text.to_owned(), grant_type: None };
        assert_eq!(
            clients.device_flow.poll_device_token(poll).await.unwrap_err().code(),
            Code::NotFound,
            "{text:.20?}"
        );
        let looked_up =
            clients.device_flow.lookup_user_code(LookupUserCodeRequest { user_code: text.to_owned() }).await;
        assert_eq!(reason(&looked_up.unwrap_err()), "invalid_user_code", "{text:.20?}");
        let (status, approved) = browser.approve(text).await;
        assert_eq!((status, approved["code"].as_str()), (400, Some("invalid_user_code")), "{text:.20?}");
        let (status, switched) = browser.post("/console/api/workspaces/switch", &json!({"tenant_id": text})).await;
        assert_eq!((status, switched["code"].as_str()), (404, Some("not_found")), "{text:.20?}");
        assert_eq!(browser.login(&format!("{text}@example.com"), PASSWORD).await.status, 401, "{text:.20?}");
        let revoked = Answer::to(
            reqwest::Client::new().post(server.at("/openapi/v1/oauth/revoke")).json(&json!({"token": text})),
        )
        .await;
        assert_eq!(revoked.status, 200, "unknown tokens return 200 (RFC 7009): {text:.20?}");
    }
}
