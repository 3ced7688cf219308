//! Providers whose plugin implements OAuth, through a stand-in of Dify's plugin daemon.

use dify_openapi::testing::ports::Clock as _;

use super::*;
use crate::support::plugin_daemon::{Dispatch, Fault as DaemonFault, KEY, PluginDaemon};

pub(crate) struct PluginServer {
    pub(crate) server: ConnectionServer,
    pub(crate) daemon: PluginDaemon,
    pub(crate) member: Person,
}

impl PluginServer {
    pub(super) async fn start(stores: Stores) -> Self {
        Self::start_with(stores, &[]).await
    }

    /// With more variables of the server.
    pub(crate) async fn start_with(stores: Stores, more: &[(&str, &str)]) -> Self {
        let daemon = PluginDaemon::start().await;
        let url = daemon.url.clone();
        Self::start_at(
            stores,
            daemon,
            &[&[("PLUGIN_DAEMON_URL", url.as_str()), ("PLUGIN_DAEMON_KEY", KEY)], more].concat(),
        )
        .await
    }

    async fn start_at(stores: Stores, daemon: PluginDaemon, variables: &[(&str, &str)]) -> Self {
        let server = ConnectionServer::bare_with(stores, variables).await;
        import_without_oauth(&server);
        server.set_client().await;
        let member = server.browser(MEMBER).await;
        daemon.expire_at(server.clock.now().timestamp() + 3_600);
        Self { server, daemon, member }
    }

    /// Begins an authorization. Returns the callback's path, with a code of the provider.
    async fn consent(&mut self) -> String {
        let request = self.member.start("").await;
        oauth_path(&format!("tool/callback?code=the+code&state={}", parameter(&request, "state")))
    }

    /// Connects the member. Returns the request for its credentials.
    pub(super) async fn connect(&mut self) -> Value {
        let before = self.member.credentials().await;
        let callback = self.consent().await;
        assert_eq!(self.member.follow(&callback).await, self.server.at("/oauth-callback"));
        let id = self.member.added_since(&before).await;
        json!({"tenant_id": self.server.workspace().await, "provider": PROVIDER, "credential_id": id})
    }
}

/// Imports the provider as Dify's plugins ship it.
fn import_without_oauth(server: &ConnectionServer) {
    let manifest = server.provider.manifest();
    let (manifest, _) = manifest.split_once("\noauth:\n").unwrap();
    let imported = server.command(&["connection", "provider", "import", "-", "--key", PROVIDER], manifest);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
}

fn unhexed(text: &str) -> String {
    let digits: Vec<u8> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    String::from_utf8(digits).unwrap()
}

on_both_stores!(
    plugin_authorizes_and_refreshes,
    plugin_without_refresh_is_used_until_its_token_expires,
    faults_of_the_daemon_store_nothing
);

async fn plugin_authorizes_and_refreshes(stores: Stores) {
    let mut plugin = PluginServer::start(stores).await;
    let request = plugin.member.start("").await;
    assert_eq!((request.host_str(), parameter(&request, "client_id").as_str()), (Some("provider.example"), "c"));
    assert_ne!(parameter(&request, "state"), "of-the-plugin");
    let sent = plugin.daemon.received().remove(0);
    let redirect_uri = plugin.server.at(&oauth_path("tool/callback"));
    let client = json!({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET});
    let data = json!({"provider": "stand-in", "redirect_uri": redirect_uri, "system_credentials": client});
    let workspace = plugin.server.workspace().await;
    assert_eq!((sent.method.as_str(), sent.plugin.as_str()), ("get_authorization_url", "acme/tools"));
    assert_eq!((sent.tenant.as_str(), &sent.body["data"]), (workspace.as_str(), &data));
    assert!(sent.body["user_id"].is_string());

    let body = plugin.connect().await;
    let sent = plugin.daemon.received().pop().unwrap();
    let raw = unhexed(sent.body["data"]["raw_http_request"].as_str().unwrap());
    assert!(
        raw.starts_with("GET /console/api/oauth/plugin/acme/tools/stand-in/tool/callback?code=the+code&state="),
        "{raw}"
    );
    let values = plugin.server.service("credentials", &body).await.json();
    assert_eq!(values["values"]["access_token"], "access-of-plugin-1");

    plugin.server.advance(3_600 - 30);
    plugin.daemon.expire_at(plugin.server.clock.now().timestamp() + 3_600);
    let refreshed = plugin.server.service("credentials", &body).await.json();
    assert_eq!(
        refreshed["values"],
        json!({"access_token": "access-of-plugin-2", "refresh_token": "refresh-of-plugin-2"})
    );
    let sent = plugin.daemon.received().pop().unwrap();
    assert_eq!((sent.method.as_str(), &sent.body["data"]["credentials"]), ("refresh_credentials", &values["values"]));
    // Deleting works although plugins cannot revoke.
    plugin.member.browser = Browser::signed_in(&plugin.server, MEMBER).await;
    let deleted = plugin.member.post(&provider_path("delete"), &json!({"credential_id": body["credential_id"]})).await;
    assert_eq!(deleted.0, 200);
}

async fn plugin_without_refresh_is_used_until_its_token_expires(stores: Stores) {
    let mut plugin = PluginServer::start(stores).await;
    let body = plugin.connect().await;
    let first = plugin.server.service("credentials", &body).await.json()["values"].clone();
    let error = json!({"error_type": "NotImplementedError", "message": "refresh_credentials"});
    plugin.daemon.set_fault(DaemonFault::Line(json!({"code": -500, "message": error.to_string()})));
    plugin.server.advance(3_600 - 30);
    plugin.daemon.received();
    for _ in 0..2 {
        let answer = plugin.server.service("credentials", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["values"], first);
    }
    assert_eq!(plugin.daemon.received().len(), 1, "the plugin is not called again before the token expires");
    plugin.server.advance(30);
    let answer = plugin.server.service("credentials", &body).await;
    assert_eq!(answer.outcome(), (409, "reauthorization_required".to_owned()));
    assert!(answer.json()["message"].as_str().unwrap().contains("no_refresh_token"), "{}", answer.text);
}

fn faults() -> Vec<(DaemonFault, &'static str)> {
    let line = |value| DaemonFault::Line(value);
    let data = |value: Value| DaemonFault::Line(json!({"code": 0, "message": "success", "data": value}));
    vec![
        (DaemonFault::Status(503), "provider_unavailable"),
        (DaemonFault::Status(404), "provider_error"),
        (DaemonFault::Status(401), "provider_unavailable"),
        (DaemonFault::NotInstalled, "provider_error"),
        (DaemonFault::Html, "provider_error"),
        (DaemonFault::Huge, "provider_error"),
        (data(json!({})), "provider_error"),
        (data(json!({"credentials": "access"})), "provider_error"),
        (data(json!({"credentials": {"access_token": "x".repeat(60_000)}})), "provider_error"),
        (line(json!({"code": "0", "data": {}})), "provider_error"),
        (
            line(json!({"code": -500, "message": "{\"error_type\": \"PluginInvokeError\", \"message\": \"boom\"}"})),
            "provider_error",
        ),
        (line(json!({"code": -500, "message": {"error_type": "X", "message": "invalid_grant"}})), "rejected"),
    ]
}

/// Credentials whose time of expiry cannot be used.
fn without_expiry() -> [DaemonFault; 2] {
    [json!("tomorrow"), json!(1)].map(|at| {
        let data = json!({"credentials": {"access_token": "x"}, "expires_at": at});
        DaemonFault::Line(json!({"code": 0, "message": "success", "data": data}))
    })
}

async fn faults_of_the_daemon_store_nothing(stores: Stores) {
    let mut plugin = PluginServer::start(stores).await;
    let faulty_expiry = without_expiry().map(|fault| (fault, "provider_error"));
    for (fault, error) in faults().into_iter().chain(faulty_expiry) {
        plugin.daemon.set_fault(DaemonFault::None);
        let callback = plugin.consent().await;
        plugin.daemon.set_fault(fault.clone());
        assert_eq!(error_of(&plugin.member.follow(&callback).await), error, "{}", shown(&fault));
        assert!(plugin.member.credentials().await.is_empty());
    }
    for (fault, error) in faults() {
        plugin.daemon.set_fault(DaemonFault::None);
        // So that it is refreshed at once.
        plugin.daemon.expire_at(plugin.server.clock.now().timestamp() + 30);
        let body = plugin.connect().await;
        plugin.daemon.set_fault(fault.clone());
        plugin.daemon.received();
        let answer = plugin.server.service("credentials", &body).await;
        let calls = plugin.daemon.received();
        if error == "rejected" {
            assert_eq!(answer.outcome(), (409, "reauthorization_required".to_owned()));
        } else {
            assert_eq!(answer.status, 200, "the token lives, {}: {}", shown(&fault), answer.text);
            let values = &answer.json()["values"];
            // The job in the background may have called the plugin for earlier connections.
            let is_own =
                |call: &&Dispatch| call.method == "refresh_credentials" && call.body["data"]["credentials"] == *values;
            assert_eq!(calls.iter().filter(is_own).count(), 1, "{}", shown(&fault));
        }
    }
    plugin.daemon.set_fault(DaemonFault::Status(503));
    plugin.server.advance(30);
    let body = json!({"tenant_id": plugin.server.workspace().await, "provider": PROVIDER,
        "credential_id": plugin.member.credentials().await[0]["id"]});
    assert_eq!(plugin.server.service("credentials", &body).await.outcome(), (502, "upstream_error".to_owned()));
}

fn shown(fault: &DaemonFault) -> String {
    format!("{fault:?}").chars().take(100).collect()
}

#[tokio::test]
async fn refreshed_credentials_are_stored_although_their_time_of_expiry_is_faulty() {
    for answer in without_expiry() {
        let mut plugin = PluginServer::start(Stores::Sqlite).await;
        plugin.daemon.expire_at(plugin.server.clock.now().timestamp() + 30);
        let body = plugin.connect().await;
        plugin.daemon.set_fault(answer.clone());
        let answer = plugin.server.service("credentials", &body).await.json();
        assert_eq!(answer["values"]["access_token"], "x");
        assert_eq!(answer["expires_at"], plugin.server.clock.now().timestamp() + 3_600);
    }
}

/// The outcome of starting an authorization.
async fn started(member: &Person) -> (Answer, (u16, String)) {
    let answer = Answer::to(member.request(Method::GET, &oauth_path("tool/authorization-url"))).await;
    let outcome = answer.outcome();
    (answer, outcome)
}

#[tokio::test]
async fn plugin_that_is_not_installed_is_reported() {
    let plugin = PluginServer::start(Stores::Sqlite).await;
    plugin.daemon.set_fault(DaemonFault::NotInstalled);
    let (answer, outcome) = started(&plugin.member).await;
    assert_eq!(outcome, (400, "invalid_request".to_owned()));
    assert_eq!(answer.json()["message"], "the plugin of the provider is not installed");
}

#[tokio::test]
async fn daemon_that_rejects_the_key_is_logged_with_the_setting() {
    let daemon = PluginDaemon::start().await;
    let url = daemon.url.clone();
    let plugin = PluginServer::start_at(
        Stores::Sqlite,
        daemon,
        &[("PLUGIN_DAEMON_URL", url.as_str()), ("PLUGIN_DAEMON_KEY", "another key")],
    )
    .await;
    let logs = crate::support::logs::Logs::capture();
    let (_, outcome) = started(&plugin.member).await;
    assert_eq!(outcome, (502, "upstream_error".to_owned()));
    assert!(plugin.daemon.received().is_empty());
    assert!(!logs.matching(&["PLUGIN_DAEMON_KEY"]).is_empty());
    assert!(logs.matching(&["another key"]).is_empty());
}

#[tokio::test]
async fn daemon_that_does_not_run_is_reported() {
    let daemon = PluginDaemon::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    let variables = [("PLUGIN_DAEMON_URL", url.as_str()), ("PLUGIN_DAEMON_KEY", KEY)];
    let plugin = PluginServer::start_at(Stores::Sqlite, daemon, &variables).await;
    let logs = crate::support::logs::Logs::capture();
    let (_, outcome) = started(&plugin.member).await;
    assert_eq!(outcome, (502, "upstream_error".to_owned()));
    let is_reported = |line: &str| line.contains("the plugin daemon does not answer") && line.contains("refused");
    assert!(logs.lines().lines().any(is_reported), "the cause is logged");
}

#[tokio::test]
async fn provider_without_an_oauth_block_needs_a_plugin_daemon() {
    let server = ConnectionServer::bare(Stores::Sqlite).await;
    import_without_oauth(&server);
    server.set_client().await;
    let member = server.browser(MEMBER).await;
    let (answer, outcome) = started(&member).await;
    assert_eq!(outcome, (400, "invalid_request".to_owned()));
    assert!(answer.text.contains("needs its plugin"), "{}", answer.text);
}
