//! What is refused: foreign and used states, other roles, and providers that answer with faults.

use super::*;

on_both_stores!(
    state_of_another_browser_account_provider_or_time_is_rejected,
    state_is_consumed_once,
    denied_and_failed_authorizations_lead_to_the_page_of_connections,
    faulty_answers_of_the_provider_connect_nothing,
    members_do_not_read_the_client_or_connections_of_others
);

async fn state_of_another_browser_account_provider_or_time_is_rejected(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let (mut member, admin) = (server.browser(MEMBER).await, server.browser(OWNER).await);
    let request = member.start("").await;
    let callback = member.consent(&request);
    let invalid = |location: String| {
        assert!(location.starts_with(&server.at("/device/connections?")), "{location}");
        assert_eq!(error_of(&location), "invalid_state", "{location}");
    };
    // Another browser, without and with the cookie; a browser of another account with the cookie.
    let stranger = Person { browser: Browser::anonymous(&server), provider: server.provider.clone() };
    invalid(stranger.follow(&callback).await);
    invalid(admin.follow(&callback).await);
    let mut other = server.browser(OWNER).await;
    other.cookies.insert("context_id".to_owned(), member.cookies["context_id"].clone());
    invalid(other.follow(&callback).await);
    // Another provider's path, a changed state, and another issuer.
    invalid(member.follow(&callback.replace(PROVIDER, "langgenius/gmail/gmail")).await);
    invalid(member.follow(&format!("{callback}A")).await);
    assert_eq!(server.provider.exchanges(), 0, "no code was sent to the provider");
    let state = parameter(&request, "state");
    let (status, body) = member.get(&oauth_path("tool/callback")).await;
    assert_eq!((status, &body["details"][0]["loc"]), (400, &json!(["query", "state"])));
    let twice = oauth_path(&format!("tool/callback?state={state}&state={state}"));
    assert_eq!(member.get(&twice).await.0, 422);
    invalid(member.follow(&format!("{callback}&iss=https%3A%2F%2Fother.example")).await);
    assert_eq!(server.provider.exchanges(), 0);
    // An expired state.
    let request = member.start("").await;
    server.advance(300);
    invalid(member.follow(&member.consent(&request)).await);
    assert!(member.credentials().await.is_empty());
}

async fn state_is_consumed_once(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let request = member.start("").await;
    let callback = member.consent(&request);
    let (member, again) = (&member, member.consent(&request));
    let both = futures_util::future::join(member.follow(&callback), member.follow(&again)).await;
    let succeeded = [&both.0, &both.1].iter().filter(|location| location.ends_with("/oauth-callback")).count();
    assert_eq!(succeeded, 1, "{both:?}");
    assert_eq!(error_of(&member.follow(&again).await), "invalid_state");
    assert_eq!(member.credentials().await.len(), 1);
}

async fn denied_and_failed_authorizations_lead_to_the_page_of_connections(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let (mut member, admin) = (server.browser(MEMBER).await, server.browser(OWNER).await);
    for (sent, shown) in [("access_denied", "access_denied"), ("https://evil.example", "provider_error")] {
        let state = parameter(&member.start("").await, "state");
        let location = member.follow(&oauth_path(&format!("tool/callback?error={sent}&state={state}"))).await;
        assert!(location.starts_with(&server.at("/device/connections?")), "{location}");
        assert_eq!(error_of(&location), shown);
        assert_eq!(parameter(&location.parse().unwrap(), "provider"), PROVIDER);
    }
    let state = parameter(&member.start("").await, "state");
    let location = member.follow(&oauth_path(&format!("tool/callback?state={state}"))).await;
    assert_eq!(error_of(&location), "provider_error", "there is no code");
    let request = member.start("").await;
    let path = provider_path("oauth/custom-client");
    assert_eq!(admin.request(Method::DELETE, &path).send().await.unwrap().status(), 200);
    assert_eq!(error_of(&member.follow(&member.consent(&request)).await), "oauth_client_missing");
    assert!(member.credentials().await.is_empty());
}

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

async fn members_do_not_read_the_client_or_connections_of_others(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let (mut member, mut admin) = (server.browser(MEMBER).await, server.browser(OWNER).await);
    for path in ["oauth/client-schema", "oauth/custom-client"] {
        assert_eq!(member.get(&provider_path(path)).await.0, 403, "{path}");
    }
    assert_eq!(member.post(&provider_path("oauth/custom-client"), &json!({"client_params": {}})).await.0, 403);
    let of_admin = admin.connect().await;
    assert!(member.credentials().await.is_empty(), "the connection of the administrator is private");
    for (path, body) in [
        ("update", json!({"credential_id": of_admin, "name": "Mine"})),
        ("delete", json!({"credential_id": of_admin})),
        ("default-credential", json!({"id": of_admin})),
    ] {
        assert_eq!(member.post(&provider_path(path), &body).await.0, 404, "{path}");
    }
    let of_member = member.connect().await;
    // An administrator sees that it exists, and not its values.
    let seen = admin.credentials().await;
    let seen = seen.iter().find(|one| one["id"] == of_member.as_str()).unwrap();
    assert_eq!(seen["credentials"], json!({}));
    let workspace = server.workspace().await;
    let body = json!({"tenant_id": workspace, "provider": PROVIDER, "credential_id": of_admin});
    assert_eq!(server.service("credentials", &body).await.status, 200);
    // A service that names the account gets what the account may use.
    let (_, profile) = member.get("/console/api/account/profile").await;
    let body =
        json!({"tenant_id": workspace, "provider": PROVIDER, "credential_id": of_admin, "account_id": profile["id"]});
    assert_eq!(server.service("credentials", &body).await.outcome(), (404, "not_found".to_owned()));
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

/// The time limit of the service is real time.
#[tokio::test]
async fn silent_provider_is_given_up() {
    let server = ConnectionServer::start(Stores::Sqlite).await;
    let mut member = server.browser(MEMBER).await;
    server.provider.set_fault(Fault::Silent);
    let request = member.start("").await;
    assert_eq!(error_of(&member.follow(&member.consent(&request)).await), "provider_unavailable");
    assert!(member.credentials().await.is_empty());
}
