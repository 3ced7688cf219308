//! Errors of connections.

use reqwest::Method;
use serde_json::json;

use super::Document;
use crate::{
    connections::{ConnectionServer, PROVIDER, oauth_path, provider_path},
    support::{
        Answer, Browser, Stores,
        server::{MEMBER, OWNER},
        token_provider::Fault,
    },
};

const OAUTH: &str = "/console/api/oauth/plugin/{organization}/{plugin}/{provider}";
const PROVIDERS: &str = "/console/api/workspaces/current/tool-provider/builtin/{organization}/{plugin}/{provider}";
const CREDENTIALS: &str = "/inner/api/connections/credentials";

pub(super) async fn errors(document: &mut Document) {
    without_client(document).await;
    let server = ConnectionServer::start(Stores::Sqlite).await;
    let mut member = server.browser(MEMBER).await;
    let callback = Answer::to(member.request(Method::GET, &oauth_path("tool/callback"))).await;
    document.assert_shown("get", &format!("{OAUTH}/tool/callback"), &callback);
    let schema = Answer::to(member.request(Method::GET, &provider_path("oauth/client-schema"))).await;
    document.assert_shown("get", &format!("{PROVIDERS}/oauth/client-schema"), &schema);
    let id = member.connect().await;
    names(document, &member).await;

    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
    let malformed = json!({"tenant_id": "one", "provider": PROVIDER});
    document.assert_shown("post", CREDENTIALS, &server.service("credentials", &malformed).await);
    server.advance(3_600);
    server.provider.set_fault(Fault::Down);
    document.assert_shown("post", CREDENTIALS, &server.service("credentials", &body).await);
    server.provider.set_fault(Fault::Error("invalid_grant"));
    server.advance(60);
    document.assert_shown("post", CREDENTIALS, &server.service("credentials", &body).await);
}

async fn without_client(document: &mut Document) {
    let server = ConnectionServer::bare(Stores::Sqlite).await;
    let admin = Browser::signed_in(&server, OWNER).await;
    let path = oauth_path("tool/authorization-url");
    let missing = Answer::to(admin.request(Method::GET, &path)).await;
    document.assert_shown("get", &format!("{OAUTH}/tool/authorization-url"), &missing);
    let client = json!({"client_params": {}});
    let unnamed = Answer::to(admin.request(Method::POST, &provider_path("oauth/custom-client")).json(&client)).await;
    document.assert_shown("post", &format!("{PROVIDERS}/oauth/custom-client"), &unnamed);
}

async fn names(document: &mut Document, member: &Browser) {
    let (path, documented) = (provider_path("add"), format!("{PROVIDERS}/add"));
    let key = json!({"credentials": {"api_key": "key of the tests"}, "name": "Mine", "type": "api-key"});
    let faulty = json!({"credentials": {"api_key": "key"}, "visibility": "everyone"});
    assert_eq!(member.post(&path, &key).await.0, 200);
    for body in [key, faulty] {
        document.assert_shown("post", &documented, &Answer::to(member.request(Method::POST, &path).json(&body)).await);
    }
}
