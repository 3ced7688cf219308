//! Commands for accounts and sessions, and their effect on a running server.

use crate::support::{
    Bearer, Browser, Stores, TestServer,
    command::{failed, succeeded},
    database,
    enterprise_service::EnterpriseService,
    server::{MEMBER, OWNER},
};

/// Checks that standard error has exactly the audit events of one revoked session and of the command.
fn assert_revocation_is_audited(stderr: &str, token_id: &str) {
    let events: Vec<_> = stderr.lines().filter_map(|line| line.split_once(" event=")).collect();
    let names: Vec<_> = events.iter().filter_map(|(_, event)| event.split(' ').next()).collect();
    assert_eq!((names, stderr.lines().count()), (vec!["oauth.session_revoked", "operator.command"], 2), "{stderr}");
    assert!(
        stderr.contains("oauth.session_revoked") && stderr.contains(token_id) && stderr.contains("operator"),
        "{stderr}"
    );
}

on_both_stores!(
    session_revoked_by_command_ends_at_once_and_is_audited,
    unknown_names_in_commands_are_errors,
    disabled_account_is_rejected_until_it_is_enabled,
    new_password_ends_browser_and_device_sessions,
    new_password_keeps_device_sessions_on_request,
    token_created_by_command_is_a_session_like_any_other,
    token_is_created_only_for_active_accounts_labels_and_lifetimes
);

#[tokio::test(flavor = "multi_thread")]
async fn audit_events_of_commands_are_stored_and_not_shown_in_a_terminal() {
    let server = TestServer::start(Stores::Sqlite).await;
    let (laptop, phone) =
        (Bearer::sign_in(&server, OWNER, "laptop").await, Bearer::sign_in(&server, OWNER, "phone").await);
    let before = database::count(&server, "openapi_operator_events").await;
    let Some(output) = server.command_in_terminal(&["token", "revoke", "--id", &laptop.token_id]) else { return };
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "1 session ended\r\n", "{:?}", output.status);
    assert_eq!(database::count(&server, "openapi_operator_events").await, before + 2);

    // What cannot be stored is shown.
    database::execute(&server, "ALTER TABLE openapi_operator_events RENAME TO hidden").await;
    let shown = server.command_in_terminal(&["token", "revoke", "--id", &phone.token_id]).unwrap().stdout;
    let shown = String::from_utf8(shown).unwrap();
    let events: Vec<_> = shown.lines().filter(|line| line.starts_with("audit: {")).collect();
    assert!(events.len() == 2 && events[0].contains("oauth.session_revoked"), "{shown}");
    assert!(shown.contains("1 session ended") && shown.contains("were not stored"), "{shown}");
}

async fn session_revoked_by_command_ends_at_once_and_is_audited(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let other = Bearer::sign_in(&server, MEMBER, "phone").await;
    for signed_in in [&bearer, &other] {
        assert_eq!(signed_in.get("/openapi/v1/account").await.0, 200);
    }
    let (listed, stderr) = succeeded(server.command(&["token", "list", "--account", OWNER], ""));
    assert!(stderr.is_empty(), "{stderr}");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.starts_with("ID") && listed.contains(&bearer.token_id) && listed.contains("laptop"), "{listed}");

    let (printed, stderr) = succeeded(server.command(&["token", "revoke", "--account", OWNER], ""));
    assert_eq!(printed, "1 session ended\n");
    assert_revocation_is_audited(&stderr, &bearer.token_id);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    assert_eq!(other.get("/openapi/v1/account").await.0, 200);

    // More than one session needs a confirmation; ended sessions are not counted.
    let third = Bearer::sign_in(&server, MEMBER, "tablet").await;
    let refused = failed(&server.command(&["token", "revoke", "--since", "1h"], ""), 5);
    assert!(refused.contains("this ends 2 sessions; add --yes"), "{refused}");
    let (printed, _) = succeeded(server.command(&["token", "revoke", "--id", &third.token_id, "--dry-run"], ""));
    assert!(printed.starts_with("this ends 1 session (dry run"), "{printed}");
    assert_eq!(third.get("/openapi/v1/account").await.0, 200);
    succeeded(server.command(&["token", "revoke", "--id", &third.token_id], ""));

    // Revokes everything since a time.
    let (printed, stderr) = succeeded(server.command(&["token", "revoke", "--since", "1h"], ""));
    assert_eq!(printed, "1 session ended\n");
    assert_revocation_is_audited(&stderr, &other.token_id);
    assert_eq!(other.get("/openapi/v1/account").await.0, 401);
}

async fn unknown_names_in_commands_are_errors(stores: Stores) {
    let server = TestServer::start(stores).await;
    let unknown = uuid::Uuid::nil().to_string();
    for (arguments, words) in [
        (["token", "revoke", "--account", "typo@example.com"], "no account `typo@example.com`"),
        (["token", "revoke", "--client", "difyclt"], "client `difyclt`"),
        (["token", "revoke", "--id", &unknown], &unknown),
        (["token", "list", "--account", "typo@example.com"], "no account `typo@example.com`"),
        (["token", "list", "--client", "difyclt"], "client `difyclt`"),
    ] {
        let stderr = failed(&server.command(&arguments, ""), 3);
        assert!(stderr.contains(words) && stderr.contains("list` "), "{arguments:?}: {stderr}");
    }
    for change in ["disable", "enable", "set-password"] {
        let stderr = failed(&server.command(&["account", change, "typo@example.com"], "a long password\n"), 3);
        assert!(stderr.contains("`dify-openapi account list` lists them"), "{change}: {stderr}");
    }

    // An existing name without sessions is not an error.
    for selected in [["--account", OWNER], ["--client", "difyctl"]] {
        let (printed, _) = succeeded(server.command(&["token", "revoke", selected[0], selected[1]], ""));
        assert_eq!(printed, "0 sessions ended\n", "{selected:?}");
    }
    let ended = Bearer::sign_in(&server, OWNER, "laptop").await.token_id;
    for count in ["1 session", "0 sessions"] {
        let (printed, _) = succeeded(server.command(&["token", "revoke", "--id", &ended], ""));
        assert_eq!(printed, format!("{count} ended\n"));
    }
}

async fn disabled_account_is_rejected_until_it_is_enabled(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let (printed, _) = succeeded(server.command(&["account", "disable", OWNER, "--dry-run"], ""));
    assert!(printed.contains("1 session will end (dry run"), "{printed}");
    let refused = failed(&server.command(&["account", "disable", OWNER], ""), 5);
    assert!(refused.contains("1 session will end; add --yes"), "{refused}");
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    let (printed, stderr) = succeeded(server.command(&["account", "disable", OWNER, "--yes"], ""));
    assert_eq!(printed, format!("{OWNER} is disabled; 1 session ended\n"));
    assert_revocation_is_audited(&stderr, &bearer.token_id);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    assert!(!browser.is_signed_in().await);

    succeeded(server.command(&["account", "enable", OWNER], ""));
    // Enabling an account does not restore its sessions.
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    Bearer::sign_in(&server, OWNER, "laptop").await;
}

async fn new_password_ends_browser_and_device_sessions(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let other = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let set = server.command(&["account", "set-password", OWNER], "a password of another kind\n");
    let (printed, stderr) = succeeded(set);
    assert!(printed.contains("browser sessions have ended") && printed.contains("1 session ended"), "{printed}");
    assert_revocation_is_audited(&stderr, &bearer.token_id);
    assert!(!browser.is_signed_in().await);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    assert_eq!(other.get("/openapi/v1/account").await.0, 200);
    let login = Browser::anonymous(&server).login(OWNER, "a password of another kind").await;
    assert_eq!(login.status, 200, "{login:?}");
}

async fn new_password_keeps_device_sessions_on_request(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let set = server.command(&["account", "set-password", OWNER, "--keep-sessions"], "a password of another kind\n");
    let (printed, _) = succeeded(set);
    assert!(printed.contains("device sessions continue"), "{printed}");
    assert!(!browser.is_signed_in().await);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
}

/// Runs `token create` for the owner and returns the printed token.
fn create_token(server: &TestServer, options: &[&str]) -> String {
    let arguments = [&["token", "create", "--account", OWNER], options].concat();
    let (printed, stderr) = succeeded(server.command(&arguments, ""));
    let token = printed.trim_end().to_owned();
    assert!(token.starts_with("dfoa_") && token.len() == 48, "{printed}");
    assert!(stderr.contains("oauth.token_issued") && stderr.contains("it is not shown again"), "{stderr}");
    assert!(!stderr.contains(&token[9..]), "{stderr}");
    token
}

async fn token_created_by_command_is_a_session_like_any_other(stores: Stores) {
    let server = TestServer::start(stores).await;
    let first = Bearer::with_token(&server, &create_token(&server, &["--label", " ci ", "--ttl", "90d"]), "");
    let (status, sessions) = first.get("/openapi/v1/account/sessions").await;
    assert_eq!(status, 200, "{sessions}");
    let session = sessions["data"][0].clone();
    assert_eq!((&session["client_id"], &session["device_label"]), (&"dify-openapi".into(), &"ci".into()), "{session}");
    let time = |name: &str| session[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(time("expires_at") - time("created_at"), chrono::TimeDelta::days(90));

    // The same label replaces the token and keeps the session.
    let arguments = ["token", "create", "--account", OWNER, "--label", "ci", "-o", "json"];
    let (printed, stderr) = succeeded(server.command(&arguments, ""));
    assert!(stderr.contains("its previous token has ended"), "{stderr}");
    let created: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&created["replaced"], &created["id"]), (&true.into(), &session["id"]), "{created}");
    let second = Bearer::with_token(&server, created["token"].as_str().unwrap(), created["id"].as_str().unwrap());
    assert_eq!(first.get("/openapi/v1/account").await.0, 401);
    assert_eq!(second.get("/openapi/v1/account").await.0, 200);
    let other = Bearer::with_token(&server, &create_token(&server, &["--label", "nightly"]), "");
    assert_eq!(other.get("/openapi/v1/account").await.0, 200);

    let (listed, _) = succeeded(server.command(&["token", "list", "--client", "dify-openapi", "-o", "name"], ""));
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let (_, stderr) = succeeded(server.command(&["token", "revoke", "--id", &second.token_id], ""));
    assert_revocation_is_audited(&stderr, &second.token_id);
    assert_eq!(second.get("/openapi/v1/account").await.0, 401);
    assert_eq!(other.get("/openapi/v1/account").await.0, 200);
}

async fn token_is_created_only_for_active_accounts_labels_and_lifetimes(stores: Stores) {
    let server = TestServer::start(stores).await;
    let long = "x".repeat(256);
    for (account, label, ttl, code) in [
        ("typo@example.com", "ci", "1d", 3),
        (OWNER, "\u{202e}ci", "1d", 2),
        (OWNER, " ", "1d", 2),
        (OWNER, &long, "1d", 2),
        (OWNER, "ci", "366d", 2),
        (OWNER, "ci", "59s", 2),
        (OWNER, "ci", "soon", 2),
    ] {
        failed(&server.command(&["token", "create", "--account", account, "--label", label, "--ttl", ttl], ""), code);
    }
    succeeded(server.command(&["account", "disable", OWNER, "--yes"], ""));
    let refused = server.command(&["token", "create", "--account", OWNER, "--label", "ci"], "");
    assert!(failed(&refused, 5).contains("not active"));
    let (listed, _) = succeeded(server.command(&["token", "list", "--client", "difyctl"], ""));
    assert_eq!(listed, "There are no live sessions.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_is_not_created_while_bearers_are_switched_off() {
    let server = TestServer::start_with(Stores::Sqlite, &[("ENABLE_OAUTH_BEARER", "false")]).await;
    let refused = server.command(&["token", "create", "--account", OWNER, "--label", "ci"], "");
    assert!(failed(&refused, 5).contains("ENABLE_OAUTH_BEARER=true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn created_token_lives_at_most_as_long_as_the_policy_of_the_workspace() {
    let service = EnterpriseService::start().await;
    service.knowledge.lock().ttl_days = Some(3);
    let server = TestServer::start_with(Stores::Sqlite, &service.variables()).await;
    let refused = server.command(&["token", "create", "--account", OWNER, "--label", "ci", "--ttl", "4d"], "");
    assert!(failed(&refused, 5).contains("at most 4320 minutes"));
    create_token(&server, &["--label", "ci", "--ttl", "3d"]);
}
