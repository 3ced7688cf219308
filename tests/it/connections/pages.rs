//! `/device/connections` without scripts: forms and links alone.

use super::*;

on_both_stores!(
    people_connect_rename_share_and_disconnect_with_forms,
    administrators_save_the_client_with_a_form,
    failed_authorization_says_why_and_links_to_try_again,
    broken_connection_is_shown_and_reconnected
);

const PAGE: &str = "/device/connections";

impl Person {
    async fn page(&self, path: &str) -> String {
        let answer = Answer::to(self.bare(Method::GET, path)).await;
        assert_eq!(answer.status, 200, "{path}: {} {}", answer.header("location"), answer.text);
        // The escaper writes slashes as character references.
        answer.text.replace("&#x2f;", "/")
    }

    /// Posts a form and returns the page that it leads to.
    async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let csrf = self.cookies["csrf_token"].clone();
        let fields: Vec<_> = fields.iter().copied().chain([("csrf_token", csrf.as_str())]).collect();
        let answer = Answer::to(self.bare(Method::POST, path).form(&fields)).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text);
        self.take_cookies(&answer.headers);
        let location = answer.header("location").to_owned();
        self.page(&location).await
    }

    /// Follows the link that begins an authorization, and consents.
    async fn authorize(&mut self, link: &str) -> String {
        let answer = Answer::to(self.bare(Method::GET, link)).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        self.take_cookies(&answer.headers);
        let request: Url = answer.header("location").parse().unwrap();
        self.follow(&self.consent(&request)).await
    }
}

fn provider_page() -> String {
    format!("{PAGE}/{PROVIDER}")
}

async fn people_connect_rename_share_and_disconnect_with_forms(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let list = member.page(PAGE).await;
    assert!(list.contains("Stand-in") && list.contains("Gmail") && !list.contains("Connected"), "{list}");
    assert!(list.contains(r#"href="/device/connections" aria-current="page""#), "the footer links here");
    assert!(member.page(&provider_page()).await.contains("Connect Stand-in"));
    let location = member.authorize(&format!("{}/connect", provider_page())).await;
    assert_eq!(location, server.at("/oauth-callback"));
    assert!(member.page("/oauth-callback").await.contains("The account is connected"));
    let id = member.credentials().await[0]["id"].as_str().unwrap().to_owned();
    let form = format!("{}/credentials/{id}", provider_page());
    let page = member.submit(&form, &[("name", "My account"), ("action", "rename")]).await;
    assert!(page.contains("My account") && page.contains("The connection has been changed."), "{page}");
    let page = member.submit(&form, &[("name", ""), ("action", "rename")]).await;
    assert!(page.contains(r#"role="alert""#) && page.contains("My account"), "{page}");
    let page = member.submit(&form, &[("name", "My account"), ("action", "share")]).await;
    assert!(page.contains("everyone in this workspace") && page.contains("Stop sharing"), "{page}");
    let page = member.submit(&form, &[("name", "My account"), ("action", "default")]).await;
    assert!(page.contains("Default"), "{page}");
    let page = member.submit(&format!("{}/keys", provider_page()), &[("value.api_key", "a key of the tests")]).await;
    assert!(page.contains("AUTH 2") && !page.contains("a key of the tests"), "{page}");
    assert!(member.page(&format!("{form}/disconnect")).await.contains("Disconnect My account?"));
    let page = member.submit(&format!("{form}/disconnect"), &[]).await;
    assert!(page.contains("The connection has been removed.") && !page.contains("My account"), "{page}");
    // The names of others are escaped.
    assert!(!page.contains("<script>"), "{page}");
}

async fn administrators_save_the_client_with_a_form(stores: Stores) {
    let server = ConnectionServer::bare(stores).await;
    let (mut admin, member) = (server.browser(OWNER).await, server.browser(MEMBER).await);
    let page = member.page(&provider_page()).await;
    assert!(
        page.contains("An administrator of the workspace has to set up") && !page.contains("redirect_uri"),
        "{page}"
    );
    let page = admin.page(&provider_page()).await;
    assert!(page.contains(&server.at(&oauth_path("tool/callback"))), "the redirect URI is shown: {page}");
    let form = format!("{}/client", provider_page());
    let fields = [("value.client_id", CLIENT_ID), ("value.client_secret", CLIENT_SECRET), ("enabled", "yes")];
    let page = admin.submit(&form, &fields).await;
    assert!(page.contains(CLIENT_ID) && !page.contains(CLIENT_SECRET), "{page}");
    // An empty secret keeps the stored one.
    admin.submit(&form, &[("value.client_id", CLIENT_ID), ("value.client_secret", ""), ("enabled", "yes")]).await;
    admin.authorize(&format!("{}/connect", provider_page())).await;
    assert_eq!(admin.credentials().await.len(), 1);
    let csrf = member.cookies["csrf_token"].clone();
    let request = member.bare(Method::POST, &form).form(&[("csrf_token", csrf.as_str())]);
    let answer = Answer::to(request).await;
    assert!(answer.header("location").contains("notice=forbidden"), "{}", answer.header("location"));
}

async fn failed_authorization_says_why_and_links_to_try_again(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let state = parameter(&member.start("").await, "state");
    let location = member.follow(&oauth_path(&format!("tool/callback?error=access_denied&state={state}"))).await;
    let page = member.page(location.strip_prefix(&server.url).unwrap()).await;
    assert!(page.contains("access was declined") && page.contains(&format!(r#"href="{}""#, provider_page())), "{page}");
    let page = member.page(&format!("{PAGE}?error=invented&provider=https://evil.example")).await;
    assert!(!page.contains("role=\"alert\"") && !page.contains("evil"), "{page}");
    // A page of another site cannot begin an authorization.
    let link = format!("{}/connect", provider_page());
    let foreign = member.bare(Method::GET, &link).header("sec-fetch-site", "cross-site");
    assert_eq!(Answer::to(foreign).await.status, 403);
}

async fn broken_connection_is_shown_and_reconnected(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let id = member.connect().await;
    server.provider.revoke_all();
    server.advance(3_600);
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
    assert_eq!(server.service("credentials", &body).await.status, 409);
    // The browser session is as old as the token.
    let mut member = server.browser(MEMBER).await;
    assert!(member.page(PAGE).await.contains("Needs your attention"));
    let page = member.page(&provider_page()).await;
    assert!(page.contains("The service has withdrawn access."), "{page}");
    member.authorize(&format!("{}/connect?credential_id={id}", provider_page())).await;
    assert!(!member.page(PAGE).await.contains("Needs your attention"));
    assert_eq!(server.service("credentials", &body).await.status, 200);
}
