//! Providers that answer with faults or slowly, and endpoints that may not be called.

use super::*;

on_both_stores!(faulty_answers_of_the_provider_connect_nothing, faulty_answers_to_a_refresh_keep_the_token_that_lives);

async fn faulty_answers_of_the_provider_connect_nothing(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let elsewhere = TokenProvider::start().await;
    for (fault, error) in [
        (Fault::Down, "provider_unavailable"),
        (Fault::Html, "provider_error"),
        (Fault::Huge, "provider_error"),
        (Fault::ExpiresIn(json!(-1)), "provider_error"),
        (Fault::ExpiresIn(json!("3600")), "provider_error"),
        (Fault::ExpiresIn(json!(1e18)), "provider_error"),
        (Fault::ExpiresIn(json!(u64::MAX)), "provider_error"),
        (Fault::ExpiresIn(json!(i64::MAX)), "provider_error"),
        (Fault::Error("invalid_grant"), "rejected"),
        (Fault::Error("invalid_client"), "rejected"),
        (Fault::Error("server_error"), "provider_error"),
        (Fault::Redirect(format!("{}/token", elsewhere.url)), "provider_error"),
    ] {
        server.provider.set_fault(fault.clone());
        let request = member.start("").await;
        assert_eq!(error_of(&member.follow(&member.consent(&request)).await), error, "{fault:?}");
    }
    assert_eq!(elsewhere.exchanges(), 0, "the code and the secret are not sent to another address");
    assert!(member.credentials().await.is_empty());
    server.provider.set_fault(Fault::None);
    member.connect().await;
}

async fn faulty_answers_to_a_refresh_keep_the_token_that_lives(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let id = member.connect().await;
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
    let first = server.service("credentials", &body).await.json()["values"].clone();
    server.advance(3_600 - 50);
    let elsewhere = TokenProvider::start().await;
    let faults = [
        Fault::Down,
        Fault::Html,
        Fault::Huge,
        Fault::Error("server_error"),
        Fault::Redirect(format!("{}/token", elsewhere.url)),
    ];
    for fault in faults {
        server.provider.set_fault(fault.clone());
        let answer = server.service("credentials", &body).await;
        assert_eq!((answer.status, &answer.json()["values"]), (200, &first), "{fault:?}: {}", answer.text);
    }
    assert_eq!(elsewhere.refreshes(), 0, "the token and the secret are not sent to another address");
    server.advance(50);
    for _ in 0..2 {
        assert_eq!(server.service("credentials", &body).await.outcome(), (502, "upstream_error".to_owned()));
    }
    // A faulty lifetime does not lose a token that the provider has rotated.
    for expires_in in [json!(-1), json!("3600"), json!(1e18), json!(u64::MAX)] {
        server.advance(3_600);
        let refreshes = server.provider.refreshes();
        server.provider.set_fault(Fault::ExpiresIn(expires_in.clone()));
        let answer = server.service("credentials", &body).await;
        assert_eq!(answer.status, 200, "{expires_in}: {}", answer.text);
        let answer = server.service("credentials", &body).await;
        assert_eq!((answer.status, server.provider.refreshes()), (200, refreshes + 1), "{expires_in}");
    }
    assert_eq!(server.provider.rejected(), 0);
}

#[tokio::test]
async fn endpoint_on_a_private_address_is_not_called() {
    let provider = TokenProvider::start().await;
    let server = TestServer::start(Stores::Sqlite).await;
    let imported = server.command(&["connection", "provider", "import", "-", "--key", PROVIDER], &provider.manifest());
    assert!(imported.status.success());
    let server = ConnectionServer { server, provider };
    let admin = server.browser(OWNER).await;
    let client = json!({"client_params": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}});
    assert_eq!(admin.post(&provider_path("oauth/custom-client"), &client).await.0, 200);
    let mut member = server.browser(MEMBER).await;
    let request = member.start("").await;
    assert_eq!(error_of(&member.follow(&member.consent(&request)).await), "provider_unavailable");
    assert_eq!(server.provider.exchanges(), 0);
}

#[tokio::test]
async fn endpoint_without_tls_is_for_development_only() {
    let provider = TokenProvider::start().await;
    let server = TestServer::start_with(Stores::Sqlite, &[("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")]).await;
    let import = ["connection", "provider", "import", "-", "--key", PROVIDER];
    let production = [("DEPLOY_ENV", "PRODUCTION")];
    let manifest = server.files_dir().with_file_name("provider.yaml");
    std::fs::write(&manifest, provider.manifest()).unwrap();
    let path = manifest.display().to_string();
    let from_file = ["connection", "provider", "import", path.as_str(), "--key", PROVIDER];
    let error = crate::support::command::failed(&server.command_with(&production, &from_file), 2);
    assert!(error.contains("must be https"), "{error}");
    // A manifest that was imported in development.
    assert!(server.command(&import, &provider.manifest()).status.success());
    let server = ConnectionServer { server, provider };
    server.set_client().await;
    let replica = server.replica_with(&production).await;
    let mut member = server.browser(MEMBER).await;
    let at_replica = member.at(&replica);
    let answer = Answer::to(at_replica.request(Method::GET, &oauth_path("tool/authorization-url"))).await;
    assert_eq!(answer.outcome(), (400, "invalid_request".to_owned()), "{}", answer.text);
    assert!(answer.text.contains("https"), "{}", answer.text);
    let id = member.connect().await;
    server.advance(3_600);
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
    let refused = call_service(&replica, "credentials", &body).await;
    assert_eq!((refused.status, server.provider.refreshes()), (400, 0), "{}", refused.text);
}

/// The time limit of the service is real time.
#[tokio::test]
async fn silent_and_slow_providers_are_given_up() {
    let give_up = async |fault: Fault| {
        let server = ConnectionServer::start(Stores::Sqlite).await;
        let mut member = server.browser(MEMBER).await;
        server.provider.set_fault(fault);
        let request = member.start("").await;
        assert_eq!(error_of(&member.follow(&member.consent(&request)).await), "provider_unavailable");
        assert!(member.credentials().await.is_empty());
    };
    tokio::join!(give_up(Fault::Silent), give_up(Fault::Slow));
}
