//! Authorizations that succeed, and their OAuth client.

use super::*;

on_both_stores!(
    member_connects_with_the_client_of_an_administrator,
    named_callback_of_the_documentation_leads_to_the_same_handler,
    two_tabs_authorize_at_the_same_time,
    connection_is_authorized_again_in_place,
    client_of_the_instance_is_used_without_one_of_the_workspace
);

async fn member_connects_with_the_client_of_an_administrator(stores: Stores) {
    let server = ConnectionServer::bare(stores).await;
    let (admin, mut member) = (server.browser(OWNER).await, server.browser(MEMBER).await);
    let redirect_uri = server.at(&oauth_path("tool/callback"));
    // The redirect URI is shown before there is a client.
    let (status, missing) = member.get(&oauth_path("tool/authorization-url")).await;
    assert_eq!((status, missing["code"].as_str()), (400, Some("oauth_client_missing")));
    assert!(missing["hint"].as_str().unwrap().contains(&redirect_uri), "{missing}");
    let (_, schema) = admin.get(&provider_path("oauth/client-schema")).await;
    assert_eq!(schema["redirect_uri"], redirect_uri);
    assert_eq!(schema["schema"][1]["name"], "client_secret");
    assert_eq!(schema["schema"][1]["type"], "secret-input");
    assert_eq!((&schema["is_oauth_custom_client_enabled"], &schema["client_params"]), (&json!(false), &json!({})));
    let client = json!({"client_params": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}});
    assert_eq!(admin.post(&provider_path("oauth/custom-client"), &client).await.0, 200);
    let (_, masked) = admin.get(&provider_path("oauth/custom-client")).await;
    assert_eq!(
        masked,
        json!({
            "client_params": {"client_id": CLIENT_ID, "client_secret": "cl********ts"},
            "enable_oauth_custom_client": true,
        })
    );
    // A hidden secret is kept.
    let hidden = json!({"client_params": {"client_id": CLIENT_ID, "client_secret": "[__HIDDEN__]"}});
    assert_eq!(admin.post(&provider_path("oauth/custom-client"), &hidden).await.0, 200);

    let request = member.start("").await;
    assert!(request.as_str().starts_with(&format!("{}/auth?response_type=code&", server.provider.url)));
    assert_eq!(parameter(&request, "client_id"), CLIENT_ID);
    assert_eq!(parameter(&request, "redirect_uri"), redirect_uri);
    assert_eq!(parameter(&request, "scope"), "read write");
    assert_eq!(parameter(&request, "code_challenge_method"), "S256");
    let location = member.follow(&member.consent(&request)).await;
    assert_eq!(location, server.at("/oauth-callback"));
    let credentials = member.credentials().await;
    assert_eq!(credentials.len(), 1);
    let credential = &credentials[0];
    assert_eq!(
        [&credential["name"], &credential["credential_type"], &credential["visibility"], &credential["status"]],
        ["AUTH 1", "oauth2", "only_me", "active"]
    );
    let token = credential["credentials"]["access_token"].as_str().unwrap();
    assert!(token.starts_with("ac********"), "{token}");
    assert_eq!(server.provider.exchanges(), 1);
}

async fn named_callback_of_the_documentation_leads_to_the_same_handler(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let request = member.start("").await;
    let callback = member.consent(&request).replace("/tool/callback", "/send_message/callback");
    assert_eq!(member.follow(&callback).await, server.at("/oauth-callback"));
    assert_eq!(member.credentials().await.len(), 1);
}

async fn two_tabs_authorize_at_the_same_time(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let (one, two) = (member.start("").await, member.start("").await);
    for request in [one, two] {
        assert_eq!(member.follow(&member.consent(&request)).await, server.at("/oauth-callback"));
    }
    let names: Vec<_> = member.credentials().await.iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["AUTH 1", "AUTH 2"]);
}

async fn connection_is_authorized_again_in_place(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let id = member.connect().await;
    let before = member.credentials().await[0]["credentials"].clone();
    let request = member.start(&format!("?credential_id={id}")).await;
    assert_eq!(member.follow(&member.consent(&request)).await, server.at("/oauth-callback"));
    let credentials = member.credentials().await;
    assert_eq!((credentials.len(), credentials[0]["id"].as_str()), (1, Some(id.as_str())));
    assert_ne!(credentials[0]["credentials"], before);
    // Not the connection of another member.
    let admin = server.browser(OWNER).await;
    let path = oauth_path(&format!("tool/authorization-url?credential_id={id}"));
    assert_eq!(admin.get(&path).await.0, 403);
}

async fn client_of_the_instance_is_used_without_one_of_the_workspace(stores: Stores) {
    let server = ConnectionServer::bare(stores).await;
    let url = server.inner(&provider_path("oauth/system-client"));
    let client = json!({"client_params": {"client_id": "of the instance", "client_secret": CLIENT_SECRET}});
    let request = reqwest::Client::new().put(url).header("enterprise-api-secret-key", SERVICE_KEY).json(&client);
    assert_eq!(Answer::to(request).await.status, 200);
    let (admin, mut member) = (server.browser(OWNER).await, server.browser(MEMBER).await);
    assert_eq!(parameter(&member.start("").await, "client_id"), "of the instance");
    let own = json!({"client_params": {"client_id": "own", "client_secret": CLIENT_SECRET}});
    let path = provider_path("oauth/custom-client");
    assert_eq!(admin.post(&path, &own).await.0, 200);
    assert_eq!(parameter(&member.start("").await, "client_id"), "own");
    assert_eq!(admin.post(&path, &json!({"enable_oauth_custom_client": false})).await.0, 200);
    assert_eq!(parameter(&member.start("").await, "client_id"), "of the instance");
    assert_eq!(admin.request(Method::DELETE, &path).send().await.unwrap().status(), 200);
    let (_, schema) = admin.get(&provider_path("oauth/client-schema")).await;
    assert_eq!((&schema["is_system_oauth_params_exists"], &schema["client_params"]), (&json!(true), &json!({})));
}
