//! `GET /openapi/v1/account`.

use reqwest::Method;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer, database,
    logs::Logs,
    server::{MEMBER, OWNER},
};

const ACCOUNT: &str = "/openapi/v1/account";

/// Sends requests with the tokens in turn until one fails and returns that response. Sixty succeed, plus one for each
/// second that passes.
async fn use_up_limit(bearers: &[&Bearer], path: &str) -> Answer {
    let (began, mut answered) = (std::time::Instant::now(), 0);
    loop {
        let answer = Answer::to(bearers[answered % bearers.len()].request(Method::GET, path)).await;
        if answer.status != 200 {
            let refilled = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
            assert!((60..=60 + refilled).contains(&answered), "{answered} were answered");
            return answer;
        }
        answered += 1;
    }
}

on_every_database!(
    account_response_has_the_account_and_its_workspaces,
    member_sees_only_joined_workspaces,
    external_identity_has_no_account_and_no_workspaces,
    default_workspace_is_the_current_one_or_else_the_first,
    changed_account_name_shows_at_once,
    inactive_account_returns_bearer_invalid_on_every_route,
    token_of_a_deleted_account_is_rejected_and_revoked,
    row_that_contradicts_its_prefix_returns_500_and_is_audited,
    account_limit_is_sixty_per_minute_across_tokens,
    token_limit_is_sixty_per_minute,
    expired_token_over_its_limit_returns_bearer_expired,
    unknown_bearers_are_limited_by_address,
    concurrent_unknown_bearers_are_limited_and_known_bearers_are_not_counted,
    last_use_is_written_in_the_background,
    last_use_says_where_and_with_what,
    shutdown_writes_last_uses_and_closes_the_port
);

async fn account_response_has_the_account_and_its_workspaces(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let answer = Answer::to(bearer.request(Method::GET, ACCOUNT)).await;
    assert_eq!(answer.status, 200);
    assert_wire!(answer.redacted(), @r#"
    {
      "account": {
        "email": "demo@example.com",
        "id": "[uuid]",
        "name": "Demo"
      },
      "default_workspace_id": "[uuid]",
      "subject_email": "demo@example.com",
      "subject_issuer": null,
      "subject_type": "account",
      "workspaces": [
        {
          "id": "[uuid]",
          "name": "Demo Workspace",
          "role": "owner"
        },
        {
          "id": "[uuid]",
          "name": "Second Workspace",
          "role": "owner"
        }
      ]
    }
    "#);
}

async fn member_sees_only_joined_workspaces(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (_, body) = Bearer::sign_in(&server, MEMBER, "laptop").await.get(ACCOUNT).await;
    let workspaces = body["workspaces"].as_array().unwrap();
    assert_eq!(workspaces.len(), 1);
    assert_eq!((&workspaces[0]["name"], &workspaces[0]["role"]), (&"Demo Workspace".into(), &"normal".into()));
    assert_eq!(body["default_workspace_id"], workspaces[0]["id"]);
}

async fn external_identity_has_no_account_and_no_workspaces(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (token, id) = database::external_token(&server, "eve@idp.example", "laptop").await;
    let answer = Answer::to(Bearer::with_token(&server, &token, &id).request(Method::GET, ACCOUNT)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_wire!(answer.redacted(), @r#"
    {
      "account": null,
      "default_workspace_id": null,
      "subject_email": "eve@idp.example",
      "subject_issuer": "https://idp.example",
      "subject_type": "external_sso",
      "workspaces": []
    }
    "#);
}

async fn default_workspace_is_the_current_one_or_else_the_first(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let (_, before) = bearer.get(ACCOUNT).await;
    let ids: Vec<_> = before["workspaces"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    let logs = Logs::capture();
    let (status, _) = browser.post("/console/api/workspaces/switch", &serde_json::json!({"tenant_id": ids[1]})).await;
    assert_eq!(status, 200);
    let tenant = format!("tenant_id={}", ids[1].as_str().unwrap());
    assert_eq!(logs.matching(&["INFO audit", "workspace.switched", &tenant]).len(), 1);
    assert_eq!(bearer.get(ACCOUNT).await.1["default_workspace_id"], ids[1]);
    database::execute(&server, "UPDATE tenant_account_joins SET current = false").await;
    assert_eq!(bearer.get(ACCOUNT).await.1["default_workspace_id"], ids[0]);
    database::execute(&server, "DELETE FROM tenant_account_joins").await;
    let (status, body) = bearer.get(ACCOUNT).await;
    assert_eq!((status, &body["default_workspace_id"]), (200, &serde_json::Value::Null));
    assert_eq!(body["workspaces"], serde_json::json!([]));
}

async fn changed_account_name_shows_at_once(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    database::execute(&server, &format!("UPDATE accounts SET name = 'Renamed' WHERE email = '{MEMBER}'")).await;
    assert_eq!(bearer.get(ACCOUNT).await.1["account"]["name"], "Renamed");
}

async fn inactive_account_returns_bearer_invalid_on_every_route(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    assert_eq!(bearer.get(ACCOUNT).await.0, 200);
    for status in ["banned", "closed", "pending", "uninitialized"] {
        // Changed directly in the database, as Dify does: the cached token must not be enough.
        database::execute(&server, &format!("UPDATE accounts SET status = '{status}' WHERE email = '{MEMBER}'")).await;
        for path in [ACCOUNT, "/openapi/v1/account/sessions", "/openapi/v1/workspaces"] {
            let (code, body) = bearer.get(path).await;
            assert_eq!((code, body["code"].as_str()), (401, Some("bearer_invalid")), "{status} {path}");
        }
        let (code, body) = bearer.delete("/openapi/v1/account/sessions/self").await;
        assert_eq!((code, body["code"].as_str()), (401, Some("bearer_invalid")), "{status}");
    }
}

async fn token_of_a_deleted_account_is_rejected_and_revoked(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    // The state after ON DELETE SET NULL.
    database::execute(&server, "UPDATE oauth_access_tokens SET account_id = NULL").await;
    let (status, body) = bearer.get(ACCOUNT).await;
    assert_eq!((status, body["code"].as_str()), (401, Some("bearer_invalid")));
    assert_eq!(
        database::count(&server, "oauth_access_tokens WHERE revoked_at IS NOT NULL AND token_hash IS NULL").await,
        1
    );
}

async fn row_that_contradicts_its_prefix_returns_500_and_is_audited(stores: Stores) {
    let server = TestServer::start(stores).await;
    let logs = crate::support::logs::Logs::capture();
    let account = database::account_id(&server, OWNER).await;
    let (token, id) = database::external_token(&server, "eve@idp.example", "laptop").await;
    database::execute(&server, &format!("UPDATE oauth_access_tokens SET account_id = '{account}'")).await;
    let (status, body) = Bearer::with_token(&server, &token, &id).get(ACCOUNT).await;
    assert_eq!((status, body["code"].as_str()), (500, Some("internal_state_invariant")));
    assert_eq!(logs.matching(&["audit", "openapi.internal_state_invariant", &id]).len(), 1);
}

async fn account_limit_is_sixty_per_minute_across_tokens(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=0")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let first = Bearer::sign_in_with(&server, &browser, "a").await;
    let second = Bearer::sign_in_with(&server, &browser, "b").await;
    let refused = use_up_limit(&[&first, &second], ACCOUNT).await;
    assert_eq!(refused.outcome(), (429, "rate_limited".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(first.get("/openapi/v1/workspaces").await.0, 200);
    server.advance(1);
    assert_eq!(first.get(ACCOUNT).await.0, 200);
}

async fn token_limit_is_sixty_per_minute(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let first = Bearer::sign_in_with(&server, &browser, "a").await;
    let second = Bearer::sign_in_with(&server, &browser, "b").await;
    let refused = use_up_limit(&[&first], "/openapi/v1/workspaces").await;
    assert_eq!(refused.outcome(), (429, "rate_limited".to_owned()));
    assert_eq!(second.get("/openapi/v1/workspaces").await.0, 200);
    server.advance(60);
    assert_eq!(first.get("/openapi/v1/workspaces").await.0, 200);
}

async fn expired_token_over_its_limit_returns_bearer_expired(stores: Stores) {
    let server =
        TestServer::start_with(stores, &[("OPENAPI_RATE_LIMIT_PER_TOKEN", "1"), ("OAUTH_TTL_DAYS", "1")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(bearer.get(ACCOUNT).await.0, 200);
    assert_eq!(bearer.get(ACCOUNT).await.0, 429);
    server.advance(86_400);
    let (status, body) = bearer.get(ACCOUNT).await;
    assert_eq!((status, body["code"].as_str()), (401, Some("bearer_expired")));
    assert_eq!(bearer.get(ACCOUNT).await.1["code"], "bearer_invalid", "the hash was deleted");
}

async fn unknown_bearers_are_limited_by_address(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "unknown_bearer=3/1m")]).await;
    let known = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(known.get(ACCOUNT).await.0, 200);
    let guess = |round: u32| Bearer::with_token(&server, &format!("dfoa_{round:043}"), "");
    for round in 0..3 {
        assert_eq!(guess(round).get(ACCOUNT).await.0, 401);
    }
    let answer = Answer::to(guess(3).request(Method::GET, ACCOUNT)).await;
    assert_eq!(answer.outcome(), (429, "rate_limited".to_owned()));
    server.advance(60);
    assert_eq!(guess(4).get(ACCOUNT).await.0, 401);
    assert_eq!(known.get(ACCOUNT).await.0, 200);
}

async fn concurrent_unknown_bearers_are_limited_and_known_bearers_are_not_counted(stores: Stores) {
    let server =
        TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=0,account=0,unknown_bearer=3/1h")]).await;
    let known = Bearer::sign_in(&server, OWNER, "laptop").await;
    for _ in 0..8 {
        assert_eq!(known.get(ACCOUNT).await.0, 200);
    }
    let guesses = (0..40).map(|round| {
        let bearer = Bearer::with_token(&server, &format!("dfoa_{round:043}"), "");
        async move { bearer.get(ACCOUNT).await.0 }
    });
    let mut outcomes = futures_util::future::join_all(guesses).await;
    outcomes.sort_unstable();
    assert_eq!((&outcomes[..3], &outcomes[3..]), (&[401; 3][..], &[429; 37][..]));
}

async fn last_use_is_written_in_the_background(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let used = "SELECT CAST(last_used_at AS text) FROM oauth_access_tokens";
    assert_eq!(bearer.get(ACCOUNT).await.0, 200);
    assert_eq!(database::text(&server, used).await, None, "not within the request");
    server.running().app.jobs().flush_last_used().await.unwrap();
    assert!(database::text(&server, used).await.is_some());
    let device = Device::start(&server, "laptop").await;
    assert_eq!(Browser::signed_in(&server, OWNER).await.approve(&device.user_code).await.0, 200);
    assert_eq!(database::text(&server, used).await, None, "a rotated session has not been used yet");
}

async fn last_use_says_where_and_with_what(stores: Stores) {
    let server = TestServer::start_with(stores, &[("TRUSTED_PROXIES", "127.0.0.1/32")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let written = async || {
        let read =
            async |column: &str| database::text(&server, &format!("SELECT {column} FROM openapi_sessions")).await;
        (read("last_ip").await, read("last_user_agent").await)
    };
    let use_from = async |address: &str, agent: Option<&str>| {
        let request = bearer.request(Method::GET, ACCOUNT).header("x-forwarded-for", address);
        let request = match agent {
            Some(agent) => request.header("user-agent", agent),
            None => request,
        };
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    let flush = async || server.running().app.jobs().flush_last_used().await.unwrap();
    use_from("198.51.100.9", Some("curl/8.5.0")).await;
    use_from("10.9.9.9, 192.0.2.7", Some("difyctl/1.18.0 (linux; x64)")).await;
    assert_eq!(written().await, (None, None), "not within the request");
    flush().await;
    let difyctl = Some("difyctl/1.18.0 (linux; x64)".to_owned());
    assert_eq!(written().await, (Some("192.0.2.7".to_owned()), difyctl));
    let page = Answer::to(browser.bare(Method::GET, "/device/sessions")).await.text;
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "from <span class=\"mono\" translate=\"no\">192.0.2.7</span>",
        "with <span translate=\"no\">difyctl 1.18.0 · Linux</span>",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    use_from("192.0.2.8", Some(&"x".repeat(600))).await;
    flush().await;
    let long = Some("x".repeat(255));
    assert_eq!(written().await, (Some("192.0.2.8".to_owned()), long), "bounded");
    use_from("192.0.2.9", None).await;
    flush().await;
    assert_eq!(written().await, (Some("192.0.2.9".to_owned()), None));
    let again = Bearer::sign_in_with(&server, &browser, "laptop").await;
    assert_eq!(again.token_id, bearer.token_id);
    assert_eq!(written().await, (None, None), "a rotated session has not been used yet");
}

async fn shutdown_writes_last_uses_and_closes_the_port(stores: Stores) {
    let server = TestServer::start(stores).await;
    let stopping = server.replica().await;
    let bearer = Bearer::sign_in(&stopping, OWNER, "laptop").await;
    assert_eq!(bearer.get(ACCOUNT).await.0, 200);
    let url = stopping.at("/openapi/v1/_health");
    stopping.stop().await;
    assert!(reqwest::get(url).await.is_err());
    assert!(database::text(&server, "SELECT CAST(last_used_at AS text) FROM oauth_access_tokens").await.is_some());
}
