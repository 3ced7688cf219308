//! What an operator does to accounts and sessions from the command line, and what it means for a server that runs.

use crate::support::{
    Bearer, Browser, Stores, TestServer,
    command::{succeeded, usage_error},
    server::{MEMBER, OWNER},
};

/// That the audit trail on standard error tells of one session's end, and of nothing else.
fn assert_revocation_is_audited(said: &str, token_id: &str) {
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("oauth.session_revoked") && said.contains(token_id) && said.contains("operator"), "{said}");
}

on_both_stores!(
    session_revoked_by_command_ends_at_once_and_is_audited,
    unknown_names_in_commands_are_errors,
    disabled_account_is_rejected_until_it_is_enabled,
    new_password_ends_browser_sessions_and_keeps_tokens
);

async fn session_revoked_by_command_ends_at_once_and_is_audited(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let other = Bearer::sign_in(&server, MEMBER, "phone").await;
    for signed_in in [&bearer, &other] {
        assert_eq!(signed_in.get("/openapi/v1/account").await.0, 200);
    }
    let (listed, said) = succeeded(server.command(&["token", "list", "--account", OWNER], ""));
    assert!(said.is_empty(), "{said}");
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(listed.contains(&bearer.token_id) && listed.contains("laptop"), "{listed}");

    let (printed, said) = succeeded(server.command(&["token", "revoke", "--account", OWNER], ""));
    assert_eq!(printed, "1 session(s) ended\n");
    assert_revocation_is_audited(&said, &bearer.token_id);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    assert_eq!(other.get("/openapi/v1/account").await.0, 200);

    // The incident switch; what has ended does not end twice.
    let (printed, said) = succeeded(server.command(&["token", "revoke", "--since", "1h"], ""));
    assert_eq!(printed, "1 session(s) ended\n");
    assert_revocation_is_audited(&said, &other.token_id);
    assert_eq!(other.get("/openapi/v1/account").await.0, 401);
}

async fn unknown_names_in_commands_are_errors(stores: Stores) {
    let server = TestServer::start(stores).await;
    let nobody = uuid::Uuid::nil().to_string();
    for (arguments, words) in [
        (["token", "revoke", "--account", "typo@example.com"], "no account `typo@example.com`"),
        (["token", "revoke", "--client", "difyclt"], "client `difyclt`"),
        (["token", "revoke", "--id", &nobody], &nobody),
        (["token", "list", "--account", "typo@example.com"], "no account `typo@example.com`"),
        (["token", "list", "--client", "difyclt"], "client `difyclt`"),
    ] {
        let said = usage_error(&server.command(&arguments, ""));
        assert!(said.contains(words) && said.contains("list` "), "{arguments:?}: {said}");
    }
    for change in ["disable", "enable", "set-password"] {
        let said = usage_error(&server.command(&["account", change, "typo@example.com"], "a long password\n"));
        assert!(said.contains("`dify-openapi account list` lists them"), "{change}: {said}");
    }

    // What is there, but has no session, or none any more, is no mistake.
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
    let (printed, said) = succeeded(server.command(&["account", "disable", OWNER], ""));
    assert_eq!(printed, "1 session(s) ended\n");
    assert_revocation_is_audited(&said, &bearer.token_id);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    assert!(!browser.is_signed_in().await);

    succeeded(server.command(&["account", "enable", OWNER], ""));
    // A session that was ended stays so.
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    Bearer::sign_in(&server, OWNER, "laptop").await;
}

async fn new_password_ends_browser_sessions_and_keeps_tokens(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    succeeded(server.command(&["account", "set-password", OWNER], "a password of another kind\n"));
    assert!(!browser.is_signed_in().await);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    let login = Browser::anonymous(&server).login(OWNER, "a password of another kind").await;
    assert_eq!(login.status, 200, "{login:?}");
}
