//! `GET /account`.

use crate::support::Stores;
use crate::{
    on_both_stores,
    support::{Bearer, TestServer, server::OWNER},
};

on_both_stores! {
    async fn a_signed_in_account_sees_itself_and_its_workspaces(server: TestServer) {
        let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
        let (status, body) = bearer.get("/openapi/v1/account").await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["subject_type"], "account");
        assert_eq!(body["workspaces"][0]["name"], "Demo Workspace");
        let (status, body) = bearer.get("/openapi/v1/account/sessions").await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["total"], 1);
        assert_eq!(bearer.delete("/openapi/v1/account/sessions/self").await.0, 200);
        assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    }
}
