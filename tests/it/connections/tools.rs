//! `tool` nodes, which a stand-in of Dify's plugin daemon serves.

use dify_openapi::testing::ports::Clock as _;

use super::{plugin_daemon::PluginServer, *};
use crate::support::{
    Bearer,
    database::external_token,
    logs::Logs,
    plugin_daemon::{Dispatch, Fault as DaemonFault},
    runs::{blocking, events, graph_app, over_grpc, read_first_event, send_over_socket, streamed, wait_for_running},
};

on_both_stores!(
    tool_is_invoked_with_a_refreshed_token,
    tool_is_invoked_with_the_default_connection_of_the_caller,
    private_connection_of_another_member_is_refused
);

/// An app that invokes a tool.
pub(super) async fn app_with(server: &TestServer, more: Value) -> String {
    let mut tool = json!({"type": "tool", "title": "Send", "provider_id": PROVIDER, "provider_type": "builtin",
        "provider_name": PROVIDER, "tool_name": "send", "tool_label": "Send", "tool_node_version": "2",
        "tool_configurations": {"urgent": {"type": "constant", "value": true}},
        "tool_parameters": {"whom": {"type": "mixed", "value": "{{#start.name#}}"},
            "times": {"type": "mixed", "value": "2"}},
        "paramSchemas": [{"name": "whom", "type": "string"}, {"name": "times", "type": "number"}]});
    tool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let output = |name: &str| json!({"variable": name, "value_selector": ["t", name]});
    let end = json!({"id": "end", "data": {"type": "end", "title": "End",
        "outputs": [output("text"), output("json"), output("kind"), output("files")]}});
    graph_app(server, "workflow", &[json!({"id": "t", "data": tool}), end]).await
}

/// An app that invokes a tool with this connection.
async fn app_of(server: &TestServer, connection: &Value) -> String {
    app_with(server, json!({"credential_id": connection})).await
}

fn inputs() -> Value {
    json!({"inputs": {"name": "Ann"}})
}

/// The outputs of a run that succeeds, whose events contain none of these secrets.
fn outputs(events: &[Value], secrets: &[&str]) -> Value {
    let text = json!(events).to_string();
    assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    let data = &events.last().unwrap()["data"];
    assert_eq!(data["status"], "succeeded", "{text}");
    data["outputs"].clone()
}

/// Why a run fails.
async fn failure(bearer: &Bearer, app: &str) -> String {
    let events = streamed(bearer, app, inputs()).await;
    let run = &events.last().unwrap()["data"];
    assert_eq!(run["status"], "failed", "{run}");
    run["error"].as_str().unwrap().to_owned()
}

fn invocations(plugin: &PluginServer) -> Vec<Dispatch> {
    plugin.daemon.received().into_iter().filter(|call| call.method == "invoke").collect()
}

async fn tool_is_invoked_with_a_refreshed_token(stores: Stores) {
    let mut plugin = PluginServer::start(stores).await;
    let logs = Logs::capture();
    let connected = plugin.connect().await;
    let app = app_of(&plugin.server, &connected["credential_id"]).await;
    let expected = json!({"text": "used **** for Ann", "json": [{"secret": "****", "tool": "send"}], "kind": "oauth2",
        "files": []});
    let mut tokens = Vec::new();
    for seconds in [0, 3_600 - 30] {
        plugin.daemon.expire_at(plugin.server.clock.now().timestamp() + seconds + 3_600);
        plugin.server.advance(seconds);
        plugin.daemon.received();
        let bearer = Bearer::sign_in(&plugin.server, MEMBER, "laptop").await;
        let over_json = streamed(&bearer, &app, inputs()).await;
        let over_grpc = over_grpc(&plugin.server, &bearer, &app, &inputs()).await.unwrap();
        let calls = invocations(&plugin);
        assert_eq!(calls.len(), 2);
        let data = &calls[0].body["data"];
        let token = data["credentials"]["access_token"].as_str().unwrap().to_owned();
        for events in [over_json, over_grpc] {
            assert_eq!(outputs(&events, &[&token, "refresh-of-plugin"]), expected);
        }
        assert_eq!((calls[0].plugin.as_str(), &calls[0].tenant), ("acme/tools", &plugin.server.workspace().await));
        assert_eq!((&data["provider"], &data["tool"]), (&json!("stand-in"), &json!("send")));
        assert_eq!(data["tool_parameters"], json!({"whom": "Ann", "times": 2, "urgent": true}));
        assert_eq!(data["credential_type"], "oauth2");
        assert!(calls[0].body["user_id"].is_string());
        tokens.push(token);
    }
    assert_eq!(tokens, ["access-of-plugin-1", "access-of-plugin-2"], "the run has refreshed the token");
    let rows = crate::support::database::dump(&plugin.server).await;
    for token in &tokens {
        assert!(!rows.contains(token.as_str()) && logs.matching(&[token]).is_empty());
    }
    assert!(!logs.matching(&["connection.credentials_read", "reader=\"run\""]).is_empty());
}

async fn tool_is_invoked_with_the_default_connection_of_the_caller(stores: Stores) {
    let plugin = PluginServer::start(stores).await;
    let owner = plugin.server.browser(OWNER).await;
    let app = app_of(&plugin.server, &json!("")).await;
    let shared = json!({"credentials": {"api_key": "key-of-the-team"}, "name": "team", "type": "api-key",
        "visibility": "all_team_members"});
    let own = json!({"credentials": {"api_key": "key-of-the-member"}, "name": "mine", "type": "api-key",
        "visibility": "only_me"});
    let member = Bearer::sign_in(&plugin.server, MEMBER, "laptop").await;
    assert!(failure(&member, &app).await.contains("There is no connection to acme/tools/stand-in"));
    assert_eq!(owner.post(&provider_path("add"), &shared).await.0, 200);
    let key_of = |bearer: Bearer| {
        let (plugin, app) = (&plugin, &app);
        async move {
            let events = streamed(&bearer, app, inputs()).await;
            let call = invocations(plugin).remove(0);
            let key = call.body["data"]["credentials"]["api_key"].as_str().unwrap().to_owned();
            assert_eq!(outputs(&events, &[&key])["kind"], "api-key");
            key
        }
    };
    assert_eq!(key_of(member).await, "key-of-the-team");
    assert_eq!(plugin.member.post(&provider_path("add"), &own).await.0, 200);
    assert_eq!(key_of(Bearer::sign_in(&plugin.server, MEMBER, "laptop").await).await, "key-of-the-member");
    assert_eq!(key_of(Bearer::sign_in(&plugin.server, OWNER, "laptop").await).await, "key-of-the-team");
}

async fn private_connection_of_another_member_is_refused(stores: Stores) {
    let mut plugin = PluginServer::start(stores).await;
    let connected = plugin.connect().await;
    let owner = Bearer::sign_in(&plugin.server, OWNER, "laptop").await;
    let other_provider = json!({"credential_id": connected["credential_id"], "provider_id": "acme/other/thing"});
    for (more, reason) in [
        (json!({"credential_id": connected["credential_id"]}), "There is no such connection."),
        (other_provider, "There is no such connection."),
        (json!({"credential_id": "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55"}), "There is no such connection."),
        (json!({}), "There is no connection to acme/tools/stand-in that you may use."),
    ] {
        let app = app_with(&plugin.server, more).await;
        let error = failure(&owner, &app).await;
        assert!(error.starts_with("Failed to get tool runtime: ") && error.contains(reason), "{error}");
    }
    assert!(invocations(&plugin).is_empty());
    let app = app_of(&plugin.server, &connected["credential_id"]).await;
    let member = Bearer::sign_in(&plugin.server, MEMBER, "laptop").await;
    outputs(&streamed(&member, &app, inputs()).await, &["access-of-plugin"]);
}

/// A line with the error of a plugin.
fn plugin_error(error_type: &str, message: &str) -> DaemonFault {
    let inner = json!({"args": {}, "error_type": error_type, "message": message});
    let outer = json!({"error_type": "PluginInvokeError", "message": inner.to_string()});
    DaemonFault::Line(json!({"code": -500, "message": outer.to_string(), "data": null}))
}

#[tokio::test(flavor = "multi_thread")]
async fn error_of_the_plugin_is_the_failure_of_the_node_without_secrets() {
    let mut plugin = PluginServer::start(Stores::Sqlite).await;
    let logs = Logs::capture();
    let connected = plugin.connect().await;
    let bearer = Bearer::sign_in(&plugin.server, MEMBER, "laptop").await;
    let retry = json!({"retry_enabled": true, "max_retries": 1, "retry_interval": 1});
    let app =
        app_with(&plugin.server, json!({"credential_id": connected["credential_id"], "retry_config": retry})).await;
    plugin.daemon.set_fault(plugin_error("ValueError", "no mailbox for access-of-plugin-1"));
    let events = streamed(&bearer, &app, inputs()).await;
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert!(names.contains(&"node_retry"), "{names:?}");
    let run = &events.last().unwrap()["data"];
    assert_eq!((&run["status"], &run["error"]), (&json!("failed"), &json!("no mailbox for ****")));
    assert!(!json!(events).to_string().contains("access-of-plugin"));
    assert_eq!(invocations(&plugin).len(), 2);
    assert!(logs.matching(&["access-of-plugin"]).is_empty());
    for (fault, error) in [
        (DaemonFault::Status(503), "the plugin daemon returned status 503"),
        (DaemonFault::NotInstalled, "the plugin acme/tools is not installed"),
        (DaemonFault::Html, "a line of the plugin daemon is not as specified"),
    ] {
        plugin.daemon.set_fault(fault);
        let failed = failure(&bearer, &app).await;
        assert!(failed.contains(error), "{failed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_the_service_rejects_is_refreshed_or_marked() {
    let mut plugin = PluginServer::start(Stores::Sqlite).await;
    let connected = plugin.connect().await;
    let oauth = app_of(&plugin.server, &connected["credential_id"]).await;
    let key = json!({"credentials": {"api_key": "a-key-that-expired"}, "name": "key", "type": "api-key",
        "visibility": "only_me"});
    assert_eq!(plugin.member.post(&provider_path("add"), &key).await.0, 200);
    let all = plugin.member.credentials().await;
    let by_key = all.iter().find(|one| one["name"] == "key").unwrap();
    let api_key = app_of(&plugin.server, &by_key["id"]).await;
    plugin.server.advance(60);
    let bearer = Bearer::sign_in(&plugin.server, MEMBER, "laptop").await;
    plugin.daemon.received();
    plugin.daemon.set_fault(plugin_error("ToolProviderCredentialValidationError", "the token is revoked"));
    assert_eq!(failure(&bearer, &api_key).await, "the token is revoked");
    assert!(failure(&bearer, &api_key).await.contains("has to be authorized again (rejected)"));
    // The same fault answers the refresh, so the daemon is repaired after the node has failed.
    assert_eq!(failure(&bearer, &oauth).await, "the token is revoked");
    let calls: Vec<String> = plugin.daemon.received().into_iter().map(|call| call.method).collect();
    assert_eq!(calls, ["invoke", "invoke", "refresh_credentials"]);
    plugin.daemon.set_fault(DaemonFault::None);
    outputs(&streamed(&bearer, &oauth, inputs()).await, &["access-of-plugin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn call_ends_when_the_caller_leaves() {
    let mut plugin = PluginServer::start(Stores::Sqlite).await;
    let connected = plugin.connect().await;
    let app = app_of(&plugin.server, &connected["credential_id"]).await;
    let bearer = Bearer::sign_in(&plugin.server, MEMBER, "laptop").await;
    plugin.daemon.set_fault(DaemonFault::Hang);
    let mut body = inputs();
    body["response_mode"] = json!("streaming");
    let mut socket = send_over_socket(&plugin.server, &bearer, &app, &body).await;
    read_first_event(&mut socket).await;
    wait_for(|| plugin.daemon.open_calls() == 1).await;
    drop(socket);
    wait_for_running(&plugin.server, 0).await;
    wait_for(|| plugin.daemon.open_calls() == 0).await;
}

async fn wait_for(mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("it does not happen");
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_without_credentials_gets_none() {
    let plugin = PluginServer::start(Stores::Sqlite).await;
    let app = app_with(&plugin.server, json!({"provider_id": "acme/clock/clock"})).await;
    let bearer = Bearer::sign_in(&plugin.server, MEMBER, "laptop").await;
    assert_eq!(outputs(&streamed(&bearer, &app, inputs()).await, &[])["text"], "used nothing for Ann");
    let call = invocations(&plugin).remove(0);
    assert_eq!((call.plugin.as_str(), &call.body["data"]["credentials"]), ("acme/clock", &json!({})));
}

#[tokio::test(flavor = "multi_thread")]
async fn external_identity_uses_shared_connections_only() {
    let plugin = PluginServer::start_with(Stores::Sqlite, &[("ENTERPRISE_ENABLED", "true")]).await;
    let add = |name: &str, visibility: &str| json!({"credentials": {"api_key": format!("key-of-{name}")}, "name": name, "type": "api-key", "visibility": visibility});
    assert_eq!(plugin.member.post(&provider_path("add"), &add("mine", "only_me")).await.0, 200);
    let app = app_of(&plugin.server, &json!("")).await;
    let set = plugin.server.command(&["app", "access-mode", "set", &app, "sso_verified"], "");
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let (token, id) = external_token(&plugin.server, "eve@idp.example", "laptop").await;
    let eve = Bearer::with_token(&plugin.server, &token, &id);
    let path = format!("/openapi/v1/permitted-external-apps/{app}/run");
    let mut body = inputs();
    body["response_mode"] = json!("streaming");
    let run = || async { events(&Answer::to(eve.request(Method::POST, &path).json(&body)).await.text) };
    let refused = run().await;
    let error = refused.last().unwrap()["data"]["error"].as_str().unwrap();
    assert!(error.contains("There is no connection to acme/tools/stand-in"), "{error}");
    assert!(invocations(&plugin).is_empty());
    assert_eq!(plugin.member.post(&provider_path("add"), &add("ours", "all_team_members")).await.0, 200);
    outputs(&run().await, &["key-of-"]);
    assert_eq!(invocations(&plugin).remove(0).body["data"]["credentials"]["api_key"], "key-of-ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_without_a_plugin_daemon_is_refused_before_anything_runs() {
    let server = ConnectionServer::bare(Stores::Sqlite).await;
    let app = app_of(&server, &json!("")).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let answer = blocking(&bearer, &app, inputs()).await;
    assert_eq!(answer.outcome(), (400, "app_unavailable".to_owned()));
    assert_eq!(
        answer.json()["message"],
        "The app's graph cannot be run: a plugin daemon is missing for the tool `send` of the node \"Send\" (t); set \
         PLUGIN_DAEMON_URL and PLUGIN_DAEMON_KEY."
    );
}
