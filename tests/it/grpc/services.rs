//! Every service over gRPC, compared with JSON.

use dify_openapi::testing::rpc::proto::{
    CreateDeviceCodeRequest, GetAccountRequest, GetHealthRequest, GetVersionRequest, GetWorkspaceRequest,
    IntrospectTokenRequest, ListSessionsRequest, ListWorkspacesRequest, LookupUserCodeRequest, PollDeviceTokenRequest,
    ResolveTokenRequest, RevokeCurrentSessionRequest, RevokeSessionRequest, RevokeTokenRequest, SubjectType,
};
use tonic::Code;

use crate::support::{
    Bearer, Browser, Stores, TestServer, database,
    grpc::{Clients, channel, internal_channel, reason, with_bearer, with_metadata},
    server::{MEMBER, OWNER, SERVICE_KEY},
};

const KEY: &str = "enterprise-api-secret-key";

on_every_database!(
    device_flow_runs_over_grpc_except_the_approval,
    sessions_and_workspaces_match_json,
    external_identity_has_its_subject_type_and_issuer,
    token_service_resolves_and_introspects_on_the_internal_listener,
    grpc_listener_serves_public_methods,
    json_and_grpc_share_rate_limits
);

async fn device_flow_runs_over_grpc_except_the_approval(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut clients = Clients::on(channel(&server).await);
    let request = CreateDeviceCodeRequest { client_id: "difyctl".to_owned(), device_label: Some("laptop".to_owned()) };
    let codes = clients.device_flow.create_device_code(request).await.unwrap().into_inner();
    assert_eq!((codes.expires_in, codes.interval), (900, 5));
    let poll =
        PollDeviceTokenRequest { device_code: codes.device_code, client_id: "difyctl".to_owned(), grant_type: None };
    let pending = clients.device_flow.poll_device_token(poll.clone()).await.unwrap_err();
    assert_eq!((pending.code(), reason(&pending).as_str()), (Code::FailedPrecondition, "authorization_pending"));
    let lookup = LookupUserCodeRequest { user_code: codes.user_code.to_lowercase() };
    let found = clients.device_flow.lookup_user_code(lookup).await.unwrap().into_inner();
    assert_eq!((found.valid, found.client_id.as_deref(), found.device_label), (true, Some("difyctl"), None));
    assert_eq!(Browser::signed_in(&server, OWNER).await.approve(&codes.user_code).await.0, 200);
    server.advance(5);
    let token = clients.device_flow.poll_device_token(poll.clone()).await.unwrap().into_inner();
    assert_eq!(
        (token.token_type.as_str(), token.scope.as_str(), &token.token),
        ("Bearer", "full", &token.access_token)
    );
    assert!(matches!(token.subject_type(), SubjectType::Account));
    server.advance(60);
    let again = clients.device_flow.poll_device_token(poll).await.unwrap_err();
    assert_eq!((again.code(), reason(&again).as_str()), (Code::NotFound, "expired_token"));

    let account =
        clients.identity.get_account(with_bearer(GetAccountRequest {}, &token.token)).await.unwrap().into_inner();
    assert_eq!((account.subject_email.as_str(), account.workspaces.len()), (OWNER, 2));
    assert_eq!(account.account.unwrap().id, token.account.unwrap().id);
    let revoked =
        clients.session.revoke_current_session(with_bearer(RevokeCurrentSessionRequest {}, &token.token)).await;
    assert_eq!(revoked.unwrap().into_inner().status, "revoked");
    let dead = clients.identity.get_account(with_bearer(GetAccountRequest {}, &token.token)).await.unwrap_err();
    assert_eq!((dead.code(), reason(&dead).as_str()), (Code::Unauthenticated, "bearer_invalid"));
}

async fn sessions_and_workspaces_match_json(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let other = Bearer::sign_in_with(&server, &browser, "phone").await;
    let mut clients = Clients::on(channel(&server).await);

    let page =
        clients.session.list_sessions(with_bearer(ListSessionsRequest { page: None, limit: Some(1) }, &bearer.token));
    let page = page.await.unwrap().into_inner();
    let (_, json) = bearer.get("/openapi/v1/account/sessions?limit=1").await;
    assert_eq!((page.page, page.limit, page.total, page.has_more), (1, 1, 2, true));
    assert_eq!(json["data"][0]["id"], page.data[0].id);
    assert_eq!(json["total"], page.total);

    let list = clients
        .workspace
        .list_workspaces(with_bearer(ListWorkspacesRequest::default(), &bearer.token))
        .await
        .unwrap()
        .into_inner();
    let (_, json) = bearer.get("/openapi/v1/workspaces").await;
    let ids: Vec<_> = list.workspaces.iter().map(|workspace| workspace.id.as_str()).collect();
    assert_eq!(
        ids,
        json["workspaces"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect::<Vec<_>>()
    );
    let one = GetWorkspaceRequest { id: ids[0].to_owned() };
    let one = clients.workspace.get_workspace(with_bearer(one, &bearer.token)).await.unwrap().into_inner();
    assert!(one.created_at.unwrap().seconds > 1_700_000_000);
    assert_eq!(one.name, "Demo Workspace");

    let revoke = RevokeSessionRequest { id: other.token_id.clone() };
    assert_eq!(
        clients.session.revoke_session(with_bearer(revoke, &bearer.token)).await.unwrap().into_inner().status,
        "revoked"
    );
    assert_eq!(other.get("/openapi/v1/account").await.0, 401);
    clients
        .session
        .revoke_token(RevokeTokenRequest { token: bearer.token.clone(), token_type_hint: None })
        .await
        .unwrap();
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
}

async fn external_identity_has_its_subject_type_and_issuer(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (token, _) = database::external_token(&server, "eve@idp.example", "laptop").await;
    let mut clients = Clients::on(channel(&server).await);
    let account = clients.identity.get_account(with_bearer(GetAccountRequest {}, &token)).await.unwrap().into_inner();
    assert!(matches!(account.subject_type(), SubjectType::ExternalSso));
    assert_eq!((account.subject_issuer.as_deref(), account.account), (Some(database::ISSUER), None));
    let refused =
        clients.workspace.list_workspaces(with_bearer(ListWorkspacesRequest::default(), &token)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "wrong_surface"));
}

async fn token_service_resolves_and_introspects_on_the_internal_listener(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let mut clients = Clients::on(internal_channel(&server).await);
    let ask = |token: &str| with_metadata(ResolveTokenRequest { token: token.to_owned() }, KEY, SERVICE_KEY);
    let resolved = clients.token.resolve_token(ask(&bearer.token)).await.unwrap().into_inner();
    assert_eq!(
        (resolved.subject_email.as_str(), resolved.client_id.as_str(), resolved.scope),
        (MEMBER, "difyctl", vec!["full".to_owned()])
    );
    assert_eq!(
        (resolved.token_id, resolved.account_id),
        (bearer.token_id.clone(), Some(database::account_id(&server, MEMBER).await))
    );
    for (token, code) in [
        ("app-key", "invalid_prefix"),
        ("dfp_x", "unknown_token_prefix"),
        ("dfoa_short", "bearer_invalid"),
        ("", "invalid_request"),
    ] {
        assert_eq!(reason(&clients.token.resolve_token(ask(token)).await.unwrap_err()), code);
    }
    let introspect = IntrospectTokenRequest { token: bearer.token.clone(), token_type_hint: None };
    let introspected =
        clients.token.introspect_token(with_metadata(introspect.clone(), KEY, SERVICE_KEY)).await.unwrap().into_inner();
    assert_eq!((introspected.active, introspected.username.as_deref()), (true, Some(MEMBER)));
    server.advance(15 * 86_400);
    assert_eq!(reason(&clients.token.resolve_token(ask(&bearer.token)).await.unwrap_err()), "bearer_expired");
    let introspected =
        clients.token.introspect_token(with_metadata(introspect, KEY, SERVICE_KEY)).await.unwrap().into_inner();
    assert!(!introspected.active && introspected.username.is_none());
}

async fn grpc_listener_serves_public_methods(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut clients = Clients::on(internal_channel(&server).await);
    assert!(clients.meta.get_health(GetHealthRequest {}).await.unwrap().into_inner().ok);
    assert_eq!(clients.meta.get_version(GetVersionRequest {}).await.unwrap().into_inner().version, "1.14.2");
    clients.identity.get_account(with_bearer(GetAccountRequest {}, &bearer.token)).await.unwrap();
}

async fn json_and_grpc_share_rate_limits(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMIT_PER_TOKEN", "4")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut clients = Clients::on(channel(&server).await);
    for _ in 0..2 {
        assert_eq!(bearer.get("/openapi/v1/workspaces").await.0, 200);
        clients.workspace.list_workspaces(with_bearer(ListWorkspacesRequest::default(), &bearer.token)).await.unwrap();
    }
    assert_eq!(bearer.get("/openapi/v1/workspaces").await.0, 429);
    let limited = clients
        .workspace
        .list_workspaces(with_bearer(ListWorkspacesRequest::default(), &bearer.token))
        .await
        .unwrap_err();
    assert_eq!((limited.code(), reason(&limited).as_str()), (Code::ResourceExhausted, "rate_limited"));
}
