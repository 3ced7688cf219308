//! `requests-oauthlib`, with `oauthlib`'s device client.

use serde_json::json;

use crate::support::{Browser, Stores, TestServer, python::Script, server::OWNER};

on_both_stores!(requests_oauthlib_signs_in_with_basic_and_body_client_id, requests_oauthlib_reports_access_denied);

async fn requests_oauthlib_signs_in_with_basic_and_body_client_id(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for naming in ["basic", "body"] {
        let Some(mut client) = Script::start("device_login.py", &[&server.url, naming]) else { return };
        let codes = client.next();
        assert_eq!(codes["interval"], 5);
        assert_eq!(client.resume(), json!({"error": "authorization_pending"}), "{naming}");
        assert_eq!(client.resume(), json!({"error": "slow_down"}), "{naming}");
        server.advance(10);
        assert_eq!(client.resume(), json!({"error": "authorization_pending"}), "{naming}");
        assert_eq!(browser.approve(codes["user_code"].as_str().unwrap()).await.0, 200);
        server.advance(10);
        let signed_in = json!({
            "token_type": "Bearer",
            "scope": ["full"],
            "email": OWNER,
            "revoked": 200,
            "afterwards": 401,
        });
        let mut found = client.resume();
        let expires_in = found.as_object_mut().unwrap().remove("expires_in").unwrap();
        assert!((1_209_500..=1_209_600).contains(&expires_in.as_i64().unwrap()), "{expires_in}");
        assert_eq!(found, signed_in, "{naming}");
    }
}

async fn requests_oauthlib_reports_access_denied(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let Some(mut client) = Script::start("device_login.py", &[&server.url, "basic"]) else { return };
    let codes = client.next();
    assert_eq!(browser.deny(codes["user_code"].as_str().unwrap()).await.0, 200);
    assert_eq!(client.resume(), json!({"error": "access_denied"}));
}
