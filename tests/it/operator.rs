//! Commands for accounts and sessions, and their effect on a running server.

use crate::support::{
    Bearer, Browser, Stores, TestServer,
    command::{failed, succeeded},
    server::{MEMBER, OWNER},
};

/// Checks that standard error has exactly the audit event of one revoked session.
fn assert_revocation_is_audited(stderr: &str, token_id: &str) {
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
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
    new_password_keeps_device_sessions_on_request
);

async fn session_revoked_by_command_ends_at_once_and_is_audited(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let other = Bearer::sign_in(&server, MEMBER, "phone").await;
    for signed_in in [&bearer, &other] {
        assert_eq!(signed_in.get("/openapi/v1/account").await.0, 200);
    }
    let (listed, stderr) = succeeded(server.command(&["token", "list", "--account", OWNER], ""));
    assert!(stderr.is_empty(), "{stderr}");
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(listed.contains(&bearer.token_id) && listed.contains("laptop"), "{listed}");

    let (printed, stderr) = succeeded(server.command(&["token", "revoke", "--account", OWNER], ""));
    assert_eq!(printed, "1 session(s) ended\n");
    assert_revocation_is_audited(&stderr, &bearer.token_id);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    assert_eq!(other.get("/openapi/v1/account").await.0, 200);

    // Revokes everything since a time; ended sessions are not counted again.
    let (printed, stderr) = succeeded(server.command(&["token", "revoke", "--since", "1h"], ""));
    assert_eq!(printed, "1 session(s) ended\n");
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
        assert_eq!(printed, "0 session(s) ended\n", "{selected:?}");
    }
    let ended = Bearer::sign_in(&server, OWNER, "laptop").await.token_id;
    for count in [1, 0] {
        let (printed, _) = succeeded(server.command(&["token", "revoke", "--id", &ended], ""));
        assert_eq!(printed, format!("{count} session(s) ended\n"));
    }
}

async fn disabled_account_is_rejected_until_it_is_enabled(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    let (printed, stderr) = succeeded(server.command(&["account", "disable", OWNER], ""));
    assert_eq!(printed, "1 session(s) ended\n");
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
    assert!(printed.contains("browser sessions have ended") && printed.contains("1 session(s) ended"), "{printed}");
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
