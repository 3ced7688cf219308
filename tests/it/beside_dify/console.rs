//! Sign-in, accounts, workspaces and passwords belong to Dify and are not served beside it.

use std::process::Output;

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, Device, Dify, command as program,
    dify::{ALICE, ALICE_ID, SECRET_KEY},
};

/// Runs a command on Dify's database.
pub(super) fn command(database: &str, arguments: &[&str]) -> Output {
    let environment = [
        ("DATABASE_URL", database),
        ("SECRET_KEY", SECRET_KEY),
        ("SINGLE_REPLICA", "true"),
        ("CONSOLE_WEB_URL", "https://dify.example.com"),
        ("LISTEN", "127.0.0.1:0"),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    program::run_command(environment, arguments, "")
}

/// The error line of a command that fails.
pub(super) fn error_line(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn console_routes_and_sign_in_page_do_not_exist_beside_dify() {
    let Some(dify) = Dify::start().await else { return };
    let browser = dify.browser(ALICE_ID);
    let routes = [
        (Method::POST, "/console/api/login"),
        (Method::POST, "/console/api/logout"),
        (Method::POST, "/console/api/refresh-token"),
        (Method::GET, "/console/api/account/profile"),
        (Method::GET, "/console/api/workspaces"),
        (Method::POST, "/console/api/workspaces/switch"),
        (Method::GET, "/console/api/workspaces/current"),
        (Method::GET, "/console/api/init"),
        (Method::POST, "/console/api/init"),
        (Method::GET, "/console/api/setup"),
        (Method::POST, "/console/api/setup"),
        (Method::GET, "/console/api/apps"),
        (Method::POST, "/console/api/apps"),
        (Method::GET, "/console/api/tags"),
        (Method::POST, "/console/api/tag-bindings"),
        (Method::GET, "/signin"),
        (Method::POST, "/signin"),
        (Method::GET, "/signin/refresh"),
        (Method::POST, "/signin/refresh"),
    ];
    for (method, path) in routes {
        let body = json!({"email": ALICE, "password": "UGFzc3cwcmQx"});
        let answer = Answer::to(browser.request(method.clone(), path).json(&body)).await;
        assert_eq!((answer.status, answer.cookies()), (404, vec![]), "{method} {path}");
    }
    // The path has no route of its own, so it matches the page of a device handle, which is read only.
    let answer = Answer::to(browser.request(Method::POST, "/device/signout")).await;
    assert_eq!((answer.status, answer.cookies()), (405, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn device_page_without_session_redirects_to_the_sign_in_page_of_dify() {
    let Some(dify) = Dify::start().await else { return };
    let anonymous = crate::support::Browser::anonymous(&dify);
    let device = Device::start(&dify, "laptop").await;
    let form = [("user_code", device.user_code.as_str())];
    let entered = Answer::to(anonymous.bare(Method::POST, "/device").form(&form)).await;
    let page = entered.header("location").to_owned();
    assert_eq!(entered.status, 303);
    assert!(page.starts_with("/device/") && !page.contains(&device.user_code), "{page}");
    let sent = Answer::to(anonymous.bare(Method::GET, &page)).await;
    let location = url::Url::parse(sent.header("location")).unwrap();
    assert_eq!((sent.status, location.path()), (303, "/signin"));
    assert_eq!(location.origin().ascii_serialization(), dify.url);
    let back: Vec<_> = location.query_pairs().collect();
    assert_eq!(back, [("redirect_url".into(), format!("{}{page}", dify.url).into())]);

    let alice = dify.browser(ALICE_ID);
    let shown = Answer::to(alice.bare(Method::GET, &page)).await;
    assert_eq!(shown.status, 200);
    assert!(shown.text.contains("laptop") && shown.text.contains(ALICE), "{}", shown.text);
    assert!(!shown.text.contains("signout"), "the console signs out");
    // A redirect would loop when Dify's console accepts a session that this service rejects.
    let invalid = dify.browser_with("not a token", "");
    let rejected = Answer::to(invalid.bare(Method::GET, &page)).await;
    assert_eq!(rejected.status, 401);
    assert!(rejected.text.contains("signin?redirect_url="), "{}", rejected.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn account_workspace_and_app_commands_are_rejected_beside_dify() {
    let Some(dify) = Dify::start().await else { return };
    let database = dify.variable("DATABASE_URL");
    let commands: [&[&str]; 11] = [
        &["account", "create", "new@example.com"],
        &["account", "list"],
        &["account", "disable", ALICE],
        &["account", "enable", ALICE],
        &["account", "set-password", ALICE],
        &["workspace", "create", "Ours", "--owner", ALICE],
        &["workspace", "list"],
        &["workspace", "add-member", "Acme Inc.", ALICE],
        &["app", "import", "-", "--workspace", "Acme Inc."],
        &["app", "list", "--workspace", "Acme Inc."],
        &["app", "export", "Support Bot"],
    ];
    for arguments in commands {
        let line = error_line(&command(database, arguments));
        assert!(line.contains("Dify's"), "{arguments:?}: {line}");
    }
    let listed = command(database, &["token", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.contains("golden-main") && listed.contains("bob-laptop"), "token commands work: {listed}");
}
