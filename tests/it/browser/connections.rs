//! Connections to a certified provider that rotates refresh tokens.

use serde_json::{Value, json};

use super::{single_sign_on::sign_in_at_provider, *};
use crate::{
    connections::call_service,
    support::{
        Browser, Chromium, Stores, TestServer,
        certified_provider::{CLIENT_ID, CLIENT_SECRET, CertifiedProvider},
        runs::{graph_app, streamed},
    },
};

/// The key under which the provider is imported.
const PARTNER: &str = "acme/tools/partner";
/// The account of the member at the provider.
const ANN: &str = "ann@partner.example";

fn callback_path() -> String {
    format!("/console/api/oauth/plugin/{PARTNER}/tool/callback")
}

fn page() -> String {
    format!("/device/connections/{PARTNER}")
}

/// What a plugin of the provider would ship, with the endpoints that it publishes.
fn manifest(issuer: &str) -> String {
    json!({
        "identity": {"name": "partner", "label": {"en_US": "Partner"}},
        "oauth_schema": {
            "client_schema": [
                {"name": "client_id", "type": "text-input", "required": true},
                {"name": "client_secret", "type": "secret-input", "required": true},
            ],
            "credentials_schema": [
                {"name": "access_token", "type": "secret-input"},
                {"name": "refresh_token", "type": "secret-input"},
            ],
        },
        "oauth": {
            "authorization_url": format!("{issuer}/auth"),
            "token_url": format!("{issuer}/token"),
            "revocation_url": format!("{issuer}/token/revocation"),
            "issuer": issuer,
            "scopes": ["openid", "offline_access"],
            // The provider issues refresh tokens after a consent only.
            "extra_params": {"prompt": "consent"},
            "client_auth": "basic",
        },
    })
    .to_string()
}

/// A person in a browser, the provider, and an app whose runs use the connection.
struct Setup {
    visitor: Visitor,
    provider: CertifiedProvider,
}

impl Setup {
    /// `None` with a message without a browser or the provider.
    async fn start(is_narrow: bool) -> Option<Self> {
        let provider = CertifiedProvider::start_for(&callback_path())?;
        let mut variables = provider.address();
        variables.push(("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8".to_owned()));
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let server = TestServer::start_with(Stores::Sqlite, &variables).await;
        let import = ["connection", "provider", "import", "-", "--key", PARTNER];
        let imported = server.command(&import, &manifest(&provider.issuer));
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        let visitor = Visitor { chromium: Chromium::start().await?, server };
        if is_narrow {
            println!("320 px wide and without scripts");
            visitor.set_view(NARROW).await;
            visitor.disable_scripts().await;
        }
        Some(Self { visitor, provider })
    }

    async fn sign_in(&self, email: &str) {
        self.visitor.devtools("Network.clearBrowserCookies", json!({})).await;
        self.visitor.visit("/signin").await;
        self.visitor.sign_in_as(email, PASSWORD).await;
    }

    /// Agrees at the provider, and returns to the list of connections.
    async fn consent(&self) {
        sign_in_at_provider(&self.visitor, ANN).await;
        assert_eq!(self.visitor.path().await, "/oauth-callback");
        assert_eq!(self.visitor.text_of("h1").await, "Connected");
        self.visitor.follow("main a.primary").await;
        assert_eq!(self.visitor.path().await, "/device/connections");
    }

    /// The request for the member's connection.
    async fn credentials_request(&self) -> Value {
        let member = Browser::signed_in(&self.visitor.server, MEMBER).await;
        let (_, workspaces) = member.get("/console/api/workspaces").await;
        let path = format!("/console/api/workspaces/current/tool-provider/builtin/{PARTNER}/credentials");
        let (_, listed) = member.get(&path).await;
        json!({
            "tenant_id": workspaces["workspaces"][0]["id"],
            "provider": PARTNER,
            "credential_id": listed["credentials"][0]["id"],
        })
    }

    /// An app that asks the provider whose token the connection has.
    async fn app(&self, connection: &Value) -> String {
        let url = format!("{}/me", self.provider.issuer);
        let request = json!({"id": "ask", "data": {"type": "http-request", "title": "Ask", "method": "get", "url": url,
            "authorization": {"type": "connection", "config": {"provider": PARTNER, "credential_id": connection}},
            "headers": "", "params": "", "body": {"type": "none", "data": []}}});
        let end = json!({"id": "end", "data": {"type": "end", "title": "End", "outputs": [
            {"variable": "body", "value_selector": ["ask", "body"]},
            {"variable": "status", "value_selector": ["ask", "status_code"]}]}});
        graph_app(&self.visitor.server, "workflow", &[request, end]).await
    }

    /// The end of a run of the app.
    async fn run(&self, bearer: &Bearer, app: &str) -> Value {
        let events = streamed(bearer, app, json!({"inputs": {"name": "Ann"}})).await;
        events.last().unwrap()["data"].clone()
    }

    async fn assert_runs_as_ann(&self, bearer: &Bearer, app: &str) {
        let run = self.run(bearer, app).await;
        assert_eq!(run["status"], "succeeded", "{run}");
        assert_eq!(run["outputs"]["status"], 200, "the provider accepts the token: {run}");
        assert!(run["outputs"]["body"].as_str().unwrap().contains(ANN), "{run}");
    }

    /// The stored values.
    async fn values(&self, body: &Value) -> Value {
        let answer = call_service(&self.visitor.server, "credentials", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["values"].clone()
    }

    /// Ann withdraws access at the provider (RFC 7009), which ends everything that was issued for the refresh token.
    async fn revoke(&self, values: &Value) {
        // RFC 6749 section 2.3.1: both parts are form-encoded.
        let revoked = reqwest::Client::new()
            .post(format!("{}/token/revocation", self.provider.issuer))
            .basic_auth(CLIENT_ID, Some(CLIENT_SECRET.replace(' ', "+")))
            .form(&[("token", values["refresh_token"].as_str().unwrap())])
            .send()
            .await
            .unwrap();
        assert_eq!(revoked.status(), 200);
    }
}

async fn connection_is_used_refreshed_and_authorized_again(is_narrow: bool) {
    let Some(setup) = Setup::start(is_narrow).await else { return };
    let visitor = &setup.visitor;

    // The administrator registers the client.
    setup.sign_in(OWNER).await;
    visitor.visit("/device/connections").await;
    visitor.follow(&format!("a[href='{}']", page())).await;
    assert_eq!(visitor.field_value("#redirect_uri").await, visitor.server.at(&callback_path()));
    let can_copy = visitor.count("[data-copy=redirect_uri]:not([hidden])").await;
    assert_eq!(can_copy, usize::from(!is_narrow), "copying needs a script");
    visitor.type_into("input[name='value.client_id']", CLIENT_ID).await;
    visitor.type_into("input[name='value.client_secret']", CLIENT_SECRET).await;
    if visitor.count("#enabled:checked").await == 0 {
        visitor.click("#enabled").await;
    }
    visitor.follow("form[action$='/client'] button.primary").await;
    assert!(visitor.text_of("[role=status]").await.contains("OAuth client"));

    // The member connects, and shares the connection with the apps of the workspace.
    setup.sign_in(MEMBER).await;
    visitor.visit(&page()).await;
    assert_eq!(visitor.count("#redirect_uri").await, 0, "the client is not for members");
    visitor.follow(&format!("a[href='{}/connect']", page())).await;
    setup.consent().await;
    visitor.visit(&page()).await;
    visitor.follow("button[value=share]").await;
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());

    // Runs use the token, and refresh it before it expires.
    let bearer = Bearer::sign_in(&visitor.server, OWNER, "laptop").await;
    let body = setup.credentials_request().await;
    let app = setup.app(&body["credential_id"]).await;
    let mut values = setup.values(&body).await;
    setup.assert_runs_as_ann(&bearer, &app).await;
    assert_eq!(setup.values(&body).await, values, "the token lives for 90 s");
    for _ in 0..2 {
        visitor.server.advance(60);
        setup.assert_runs_as_ann(&bearer, &app).await;
        let refreshed = setup.values(&body).await;
        for field in ["access_token", "refresh_token"] {
            assert_ne!(refreshed[field], values[field], "the provider rotates its tokens");
        }
        values = refreshed;
    }

    // Access is withdrawn at the provider, and the page says so.
    setup.revoke(&values).await;
    visitor.server.advance(60);
    let run = setup.run(&bearer, &app).await;
    assert_eq!(run["status"], "failed", "{run}");
    let answer = call_service(&visitor.server, "credentials", &body).await;
    assert_eq!(answer.outcome(), (409, "reauthorization_required".to_owned()), "{}", answer.text);
    visitor.visit("/device/connections").await;
    assert!(visitor.page_text().await.contains("Needs your attention"));
    visitor.follow(&format!("a[href='{}']", page())).await;
    assert!(visitor.text_of(".card .warning").await.contains("The service has withdrawn access."));

    // The member authorizes the same connection again.
    visitor.follow("a[href*='/connect?credential_id=']").await;
    setup.consent().await;
    assert!(!visitor.page_text().await.contains("Needs your attention"));
    assert_eq!(setup.credentials_request().await, body);
    setup.assert_runs_as_ann(&bearer, &app).await;
    visitor.visit(&page()).await;
    assert_eq!((visitor.count(".card .warning").await, visitor.count("li.card").await), (0, 1));
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_is_used_refreshed_and_authorized_again_on_a_desktop() {
    Box::pin(connection_is_used_refreshed_and_authorized_again(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_is_used_refreshed_and_authorized_again_narrow_and_without_scripts() {
    Box::pin(connection_is_used_refreshed_and_authorized_again(true)).await;
}
