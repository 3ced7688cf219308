//! What people are refused: foreign and used states, addresses of others, and what belongs to others.

use super::*;

on_both_stores!(
    state_of_another_browser_account_provider_or_time_is_rejected,
    state_is_consumed_once,
    denied_and_failed_authorizations_lead_to_the_page_of_connections,
    state_of_another_workspace_is_rejected,
    redirects_lead_to_the_pages_of_this_service_only,
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

async fn state_of_another_workspace_is_rejected(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut owner = server.browser(OWNER).await;
    let (_, listed) = owner.get("/console/api/workspaces").await;
    let [first, second] = [0, 1].map(|index| json!({"tenant_id": listed["workspaces"][index]["id"]}));
    let request = owner.start("").await;
    let callback = owner.consent(&request);
    assert_eq!(owner.post("/console/api/workspaces/switch", &second).await.0, 200);
    assert_eq!(error_of(&owner.follow(&callback).await), "invalid_state");
    assert!(owner.credentials().await.is_empty());
    assert_eq!(server.provider.exchanges(), 0, "no code was sent to the provider");
    assert_eq!(owner.post("/console/api/workspaces/switch", &first).await.0, 200);
    assert!(owner.credentials().await.is_empty());
    // The workspace is the one of the state again.
    assert_eq!(owner.follow(&callback).await, server.at("/oauth-callback"));
    assert_eq!(owner.credentials().await.len(), 1);
}

async fn redirects_lead_to_the_pages_of_this_service_only(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let evil = "https%3A%2F%2Fevil.example";
    let own = server.at("/");
    for query in [
        format!("error={evil}"),
        format!("error=access_denied&error_uri={evil}&error_description={evil}"),
        format!("code={evil}&redirect_uri={evil}&return={evil}&next={evil}"),
        format!("code=any&iss={evil}"),
    ] {
        let state = parameter(&member.start("").await, "state");
        let callback = oauth_path(&format!("tool/callback?{query}&state={state}"));
        let request = member.bare(Method::GET, &callback).header("x-forwarded-host", "evil.example");
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 302, "{query}: {}", answer.text);
        let location = answer.header("location");
        assert!(location.starts_with(&own) && !location.contains("evil"), "{query}: {location}");
    }
    // Neither the caller nor a header chooses the redirect URI.
    let query = format!("tool/authorization-url?redirect_uri={evil}&return={evil}");
    let request = member.bare(Method::GET, &oauth_path(&query)).header("x-forwarded-host", "evil.example");
    let answer = Answer::to(request).await;
    let allowed = answer.status == 200
        && parameter(&answer.json()["authorization_url"].as_str().unwrap().parse().unwrap(), "redirect_uri")
            == server.at(&oauth_path("tool/callback"));
    assert!(allowed || answer.status == 422, "{}", answer.text);
    // Without a session, the page of connections leads to the sign-in of this service.
    for path in ["/device/connections", &format!("/device/connections/{PROVIDER}/connect?return={evil}")] {
        let answer = Answer::to(Browser::anonymous(&server).bare(Method::GET, path)).await;
        let location = answer.header("location");
        assert!(answer.status == 303 && location.starts_with('/') && !location.starts_with("//"), "{path}: {location}");
    }
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

async fn members_do_not_read_the_client_or_connections_of_others(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let (mut member, mut admin) = (server.browser(MEMBER).await, server.browser(OWNER).await);
    for path in ["oauth/client-schema", "oauth/custom-client"] {
        assert_eq!(member.get(&provider_path(path)).await.0, 403, "{path}");
    }
    assert_eq!(member.post(&provider_path("oauth/custom-client"), &json!({"client_params": {}})).await.0, 403);
    assert_eq!(
        member.request(Method::DELETE, &provider_path("oauth/custom-client")).send().await.unwrap().status(),
        403
    );
    for path in [&format!("/device/connections/{PROVIDER}"), "/device/connections"] {
        let page = Answer::to(member.bare(Method::GET, path)).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text.contains(CLIENT_SECRET) && !page.text.contains(CLIENT_ID), "{path}");
    }
    for path in ["credential/info", "credential/schema/oauth2", "credential/schema/api-key"] {
        let (status, body) = member.get(&provider_path(path)).await;
        assert_eq!(status, 200, "{body}");
        assert!(!body.to_string().contains(CLIENT_SECRET) && !body.to_string().contains(CLIENT_ID), "{body}");
    }
    // Administrators see the secret masked, on the page too.
    let page = Answer::to(admin.bare(Method::GET, &format!("/device/connections/{PROVIDER}"))).await;
    assert!(page.text.contains(CLIENT_ID) && !page.text.contains(CLIENT_SECRET), "{}", page.text);
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
    // A service that names the account gets what the account may use, as long as it is a member.
    let (_, profile) = member.get("/console/api/account/profile").await;
    let body =
        json!({"tenant_id": workspace, "provider": PROVIDER, "credential_id": of_admin, "account_id": profile["id"]});
    assert_eq!(server.service("credentials", &body).await.outcome(), (404, "not_found".to_owned()));
    let own = json!({"tenant_id": workspace, "provider": PROVIDER, "account_id": profile["id"]});
    assert_eq!(server.service("credentials", &own).await.json()["credential_id"], of_member);
    let removed = server.command(&["workspace", "remove-member", "Demo Workspace", MEMBER], "");
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(server.service("credentials", &own).await.outcome(), (404, "not_found".to_owned()));
    let listed = server.service("list", &json!({"tenant_id": workspace, "account_id": profile["id"]})).await.json();
    assert_eq!(listed["connections"], json!([]));
}
