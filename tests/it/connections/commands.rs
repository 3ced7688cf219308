//! The operator's commands.

use super::*;

fn run(server: &TestServer, arguments: &[&str], input: &str) -> (bool, String) {
    let output = server.command(arguments, input);
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The objects of a list in JSON.
fn list(server: &TestServer, arguments: &[&str]) -> Vec<Value> {
    let output = server.command(arguments, "");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn providers_are_listed_imported_and_removed() {
    let server = ConnectionServer::bare(Stores::Sqlite).await;
    let listed = list(&server, &["connection", "provider", "list", "-o", "json"]);
    let (oauth, both) = (json!(["oauth2"]), json!(["oauth2", "api-key"]));
    for (key, origin, types) in [
        (PROVIDER, "imported", &both),
        ("langgenius/gmail/gmail", "preset", &oauth),
        ("langgenius/github/github", "preset", &both),
        ("langgenius/google_calendar/google_calendar", "preset", &oauth),
        ("langgenius/google_drive/google_drive", "preset", &oauth),
        ("langgenius/microsoft/microsoft", "preset", &oauth),
        ("langgenius/notion/notion", "preset", &both),
        ("langgenius/slack/slack", "preset", &oauth),
    ] {
        assert!(listed.contains(&json!({"key": key, "origin": origin, "types": types})), "{key} in {listed:?}");
    }
    let import = ["connection", "provider", "import", "-", "--key", "acme/tools/other"];
    let (succeeded, text) = run(&server, &import, "oauth: 5");
    assert!(!succeeded && text.contains("standard input"), "{text}");
    let (succeeded, _) = run(&server, &["connection", "provider", "remove", PROVIDER], "");
    assert!(succeeded);
    let (succeeded, text) = run(&server, &["connection", "provider", "remove", PROVIDER], "");
    assert!(!succeeded && text.contains("was not imported"), "{text}");
}

#[tokio::test]
async fn connections_are_listed_and_revoked() {
    let server = ConnectionServer::bare(Stores::Sqlite).await;
    let client = format!(r#"{{"client_id": "{CLIENT_ID}", "client_secret": "{CLIENT_SECRET}"}}"#);
    let (succeeded, text) = run(&server, &["connection", "set-client", PROVIDER, "-"], &client);
    assert!(succeeded, "{text}");
    let mut member = server.browser(MEMBER).await;
    let id = member.connect().await;
    let workspace = server.workspace().await;
    let arguments = ["connection", "list", "--workspace", "Demo Workspace"];
    let connection = json!({
        "id": id, "workspace": workspace, "provider": PROVIDER, "name": "AUTH 1", "type": "oauth2",
        "visibility": "only_me", "status": "active", "reason": null,
    });
    assert_eq!(list(&server, &[&arguments[..], &["-o", "json"]].concat()), [connection]);
    assert_eq!(run(&server, &[&arguments[..], &["-o", "name"]].concat(), ""), (true, format!("{id}\n")));
    assert!(!run(&server, &["connection", "revoke", &id], "").0, "it has to be confirmed");
    assert!(run(&server, &["connection", "revoke", &id, "--yes"], "").0);
    assert!(member.credentials().await.is_empty());
    assert_eq!(server.provider.revoked().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_end_with_their_account_or_workspace() {
    let server = ConnectionServer::start(Stores::Sqlite).await;
    let (mut member, mut owner) = (server.browser(MEMBER).await, server.browser(OWNER).await);
    let (private, shared) = (member.connect().await, member.connect().await);
    let share = json!({"credential_id": shared, "visibility": "all_team_members"});
    assert_eq!(member.post(&provider_path("update"), &share).await.0, 200);
    owner.connect().await;
    let workspace = server.workspace().await;
    let body = json!({"tenant_id": workspace, "provider": PROVIDER, "credential_id": private});
    let token = server.service("credentials", &body).await.json()["values"]["refresh_token"].clone();
    let (succeeded, text) = run(&server, &["account", "delete", MEMBER, "--yes"], "");
    assert!(succeeded && text.contains("with 1 private connection;"), "{text}");
    assert_eq!(server.provider.revoked(), [token.as_str().unwrap()]);
    assert_eq!(server.service("credentials", &body).await.status, 404);
    let body = json!({"tenant_id": workspace, "provider": PROVIDER, "credential_id": shared});
    assert_eq!(server.service("credentials", &body).await.status, 200, "the workspace uses it");
    let (succeeded, text) = run(&server, &["workspace", "delete", "Demo Workspace", "--yes"], "");
    assert!(succeeded && text.contains(" and 2 connections"), "{text}");
    assert_eq!((server.provider.revoked().len(), server.provider.refresh_tokens()), (3, Vec::new()));
    assert_eq!(server.service("credentials", &body).await.status, 404);
    for table in ["tool_builtin_providers", "openapi_connections", "tool_oauth_tenant_clients"] {
        assert_eq!(crate::support::database::count(&server, table).await, 0, "{table}");
    }
}

const OLD_KEY: &str = "an old secret of the tests and long enough";
const NEW_KEY: &str = "a new secret of the tests and long enough";

/// A server whose key was replaced at a second replica, and the body that requests a connection's credentials.
async fn with_rotated_key() -> (ConnectionServer, TestServer, Value) {
    let server = ConnectionServer::bare_with(Stores::Sqlite, &[("SECRET_KEY", OLD_KEY)]).await;
    server.set_client().await;
    let mut member = server.browser(MEMBER).await;
    let id = member.connect().await;
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
    let previous = format!("old:{OLD_KEY}");
    let rotated = server.replica_with(&[("SECRET_KEY", NEW_KEY), ("SECRET_KEYS_PREVIOUS", &previous)]).await;
    (server, rotated, body)
}

/// Two refreshes after each other succeed only if the first one's refresh token was stored.
async fn assert_refreshes_are_stored(server: &ConnectionServer, rotated: &TestServer, body: &Value) {
    let first = call_service(rotated, "credentials", body).await.json();
    server.advance(3_600);
    let second = call_service(rotated, "credentials", body).await;
    assert_eq!(second.status, 200, "{}", second.text);
    assert_ne!(second.json()["values"]["access_token"], first["values"]["access_token"]);
    assert_eq!((server.provider.refreshes(), server.provider.rejected()), (2, 0));
}

#[tokio::test]
async fn first_refresh_after_a_rotation_is_stored() {
    let (server, rotated, body) = with_rotated_key().await;
    server.advance(3_600);
    assert_refreshes_are_stored(&server, &rotated, &body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_is_stored_although_the_row_is_encrypted_again_meanwhile() {
    let (server, rotated, body) = with_rotated_key().await;
    server.advance(3_600);
    server.provider.hold();
    let refresh = call_service(&rotated, "credentials", &body);
    let rotation = async {
        server.provider.wait_for_request().await;
        let (succeeded, text) = tokio::task::block_in_place(|| run(&rotated, &["connection", "rotate-keys"], ""));
        server.provider.release();
        assert!(succeeded && text.contains("encrypted 2 of 2"), "{text}");
    };
    let (refreshed, ()) = tokio::join!(refresh, rotation);
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    assert_refreshes_are_stored(&server, &rotated, &body).await;
}

#[tokio::test]
async fn credentials_are_encrypted_again_after_a_rotation() {
    let (server, rotated, body) = with_rotated_key().await;
    let before = server.service("credentials", &body).await.json();
    let (succeeded, text) = run(&rotated, &["connection", "rotate-keys"], "");
    assert!(succeeded && text.contains("encrypted 2 of 2"), "{text}");
    let (_, text) = run(&rotated, &["connection", "rotate-keys"], "");
    assert!(text.contains("encrypted 0 of 2"), "{text}");
    // The previous key is not needed any more.
    let without_old = server.replica_with(&[("SECRET_KEY", NEW_KEY)]).await;
    let after = call_service(&without_old, "credentials", &body).await;
    assert_eq!(after.json()["values"], before["values"], "{}", after.text);
    // A server without the key names the connection and does not pass the stored text on.
    let unreadable = server.service("credentials", &body).await;
    assert_eq!(unreadable.status, 500);
    assert!(!unreadable.text.contains("v1."), "{}", unreadable.text);
}
