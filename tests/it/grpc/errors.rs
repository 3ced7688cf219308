//! The `google.rpc` details of errors.

use dify_openapi::testing::rpc::{
    DOMAIN,
    proto::{
        CreateDeviceCodeRequest, GetAccountRequest, ListAppsRequest, ListSessionsRequest, LookupUserCodeRequest,
        PollDeviceTokenRequest,
    },
};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{
    Bearer, Device, Stores, TestServer,
    grpc::{Clients, channel, reason, with_bearer, with_metadata},
    server::OWNER,
};

on_every_database!(
    errors_carry_error_info_with_reason_and_hint,
    invalid_fields_are_named_in_bad_request,
    oauth_errors_map_to_grpc_codes,
    rate_limited_call_carries_retry_info,
    message_over_the_size_limit_is_rejected,
    invalid_authorization_metadata_is_rejected
);

async fn errors_carry_error_info_with_reason_and_hint(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut clients = Clients::on(channel(&server).await);
    let missing = clients.identity.get_account(GetAccountRequest {}).await.unwrap_err();
    assert_eq!(missing.code(), Code::Unauthenticated);
    let info = missing.get_details_error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("BEARER_MISSING", DOMAIN));
    assert_eq!(DOMAIN, "openapi.dify");
    assert!(info.metadata["hint"].contains("DeviceFlowService.CreateDeviceCode starts a sign-in"), "{info:?}");
    assert!(!missing.message().is_empty());
}

async fn invalid_fields_are_named_in_bad_request(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut clients = Clients::on(channel(&server).await);
    let request = with_bearer(ListSessionsRequest { page: None, limit: Some(201) }, &bearer.token);
    let status = clients.session.list_sessions(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "invalid_param"));
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!((violations.len(), violations[0].field.as_str()), (1, "limit"));
    let request = ListAppsRequest {
        page: Some(0),
        limit: Some(201),
        mode: Some("poem".to_owned()),
        name: Some("x".repeat(201)),
        ..ListAppsRequest::default()
    };
    let status = clients.app.list_apps(with_bearer(request, &bearer.token)).await.unwrap_err();
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["page", "limit", "name", "mode"], "all at once");
    let (code, body) = bearer.get("/openapi/v1/apps?page=x&page=1&limit=y").await;
    assert_eq!((code, body["details"].as_array().unwrap().len()), (422, 2), "{body}");
    let status = clients.device_flow.create_device_code(CreateDeviceCodeRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "invalid_request"));
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "client_id");
}

async fn oauth_errors_map_to_grpc_codes(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let mut clients = Clients::on(channel(&server).await);
    let poll = |client_id: &str, device_code: &str, grant_type: Option<&str>| PollDeviceTokenRequest {
        device_code: device_code.to_owned(),
        client_id: client_id.to_owned(),
        grant_type: grant_type.map(str::to_owned),
    };
    for (request, code, expected) in [
        (poll("other", &device.device_code, None), Code::InvalidArgument, "invalid_grant"),
        (poll("difyctl", &device.device_code, Some("password")), Code::InvalidArgument, "unsupported_grant_type"),
        (poll("difyctl", "dc_unknown", None), Code::NotFound, "expired_token"),
        (poll("difyctl", &device.device_code, None), Code::FailedPrecondition, "authorization_pending"),
        (poll("difyctl", &device.device_code, None), Code::ResourceExhausted, "slow_down"),
    ] {
        let status = clients.device_flow.poll_device_token(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
        if expected == "slow_down" {
            assert_eq!(status.get_details_retry_info().unwrap().retry_delay.unwrap().as_secs(), 10);
            assert_eq!(status.get_details_error_info().unwrap().metadata["interval"], "10");
        }
    }
    let unsupported = CreateDeviceCodeRequest { client_id: "unknown-client".to_owned(), device_label: None };
    let status = clients.device_flow.create_device_code(unsupported).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "unsupported_client"));
    let malformed = LookupUserCodeRequest { user_code: "nonsense".to_owned() };
    let status = clients.device_flow.lookup_user_code(malformed).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "invalid_user_code"));
}

async fn rate_limited_call_carries_retry_info(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "account=1/1m")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut clients = Clients::on(channel(&server).await);
    clients.identity.get_account(with_bearer(GetAccountRequest {}, &bearer.token)).await.unwrap();
    let status = clients.identity.get_account(with_bearer(GetAccountRequest {}, &bearer.token)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "rate_limited"));
    let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap().as_secs();
    assert!((55..=60).contains(&delay), "{delay}");
}

async fn message_over_the_size_limit_is_rejected(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut clients = Clients::on(channel(&server).await);
    for (length, expected) in [(3_900, Code::InvalidArgument), (4_096, Code::ResourceExhausted)] {
        let device_label = Some("x".repeat(length));
        let request = CreateDeviceCodeRequest { client_id: "difyctl".to_owned(), device_label };
        let status = clients.device_flow.create_device_code(request).await.unwrap_err();
        assert_eq!(status.code(), expected, "{length} {status:?}");
    }
}

async fn invalid_authorization_metadata_is_rejected(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut clients = Clients::on(channel(&server).await);
    for (value, expected) in
        [("Basic eDp5", "bearer_missing"), ("Bearer app-x", "invalid_prefix"), ("Bearer dfoa_short", "bearer_invalid")]
    {
        let request = with_metadata(GetAccountRequest {}, "authorization", value);
        assert_eq!(reason(&clients.identity.get_account(request).await.unwrap_err()), expected, "{value}");
    }
}
