//! The states that depend on more than the page: failed stores, concurrent approvals, disabled bearers, and sign-in in
//! Dify's console.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use dify_openapi::testing::{
    domain::{Branding, ClaimId, ClaimOutcome, ClientAddress, ClientCommands, DeviceHandle, KeyRing, Secret, UserCode},
    http::pages::{self, PageDependencies, PageSettings},
    pipeline::{Pipeline, PipelineSettings},
    ports::SystemEntropy,
};
use serde_json::json;

use super::*;
use crate::support::{Dify, Stores, TestServer, database, redis_process::RedisProcess, server::SECRET_KEY};

fn keys() -> KeyRing {
    KeyRing::new(Secret::new(SECRET_KEY), Vec::new())
}

in_every_language! {
    internal_error_shows_a_reference,
    concurrent_approval_shows_a_wait,
    disabled_bearers_show_a_message,
    killed_redis_shows_a_reference,
    ended_session_beside_dify_shows_a_link,
    console_on_another_origin_shows_a_link,
}

async fn internal_error_shows_a_reference(language: &str) {
    let Some(visitor) = visitor_in(language, &[]).await else { return };
    visitor.sign_in().await;
    database::execute(&visitor.server, "ALTER TABLE oauth_access_tokens RENAME TO hidden").await;
    visitor.visit("/device/sessions").await;
    assert!(visitor.text_of(".result .mono").await.len() >= 16, "the request id");
    visitor.check_page("fault").await;
    database::execute(&visitor.server, "ALTER TABLE hidden RENAME TO oauth_access_tokens").await;
    visitor.follow("main a.button").await;
    assert_eq!(visitor.count(".empty").await, 1, "the retry succeeds");
}

async fn concurrent_approval_shows_a_wait(language: &str) {
    let Some(visitor) = visitor_in(language, &[]).await else { return };
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    let codes = keys().user_code_keys(&UserCode::parse(&device.user_code).unwrap());
    let grants = &visitor.server.running().app.stores().grants;
    let claim = grants.claim(&codes, ClaimId(uuid::Uuid::new_v4())).await.unwrap();
    assert!(matches!(claim, ClaimOutcome::Claimed(_)));
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    visitor.check_page("approve-in-progress").await;
    visitor.server.advance(11);
    visitor.follow("main a.button").await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code, "the claim has expired");
}

async fn disabled_bearers_show_a_message(language: &str) {
    let Some(visitor) = visitor_in(language, &[("ENABLE_OAUTH_BEARER", "false")]).await else { return };
    visitor.sign_in().await;
    let handle = keys().seal_handle(&DeviceHandle::new(UserCode::parse("WXYV-3456").unwrap(), "difyctl")).unwrap();
    visitor.visit(&format!("/device/{handle}")).await;
    // No device gets a code here, so the form of an older page is submitted.
    let send = "document.querySelector('.person form').action = location.pathname + '/deny'";
    visitor.run(send, &[]).await;
    visitor.follow(".person button").await;
    visitor.check_page("switched-off").await;
    assert_eq!(visitor.count("main a.button").await, 0, "no retry is offered");
}

async fn killed_redis_shows_a_reference(language: &str) {
    let (Some(redis), Some(stores)) = (RedisProcess::start().await, Stores::servers().await) else { return };
    let Stores::Servers { database, prefix, .. } = stores else { return };
    let stores = Stores::Servers { database, redis: redis.url(), prefix };
    let Some(visitor) = Visitor::start_on(TestServer::start_with(stores, &[]).await).await else { return };
    visitor.visit(&format!("/device?lang={language}")).await;
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    redis.kill();
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert!(visitor.text_of(".result .mono").await.len() >= 16, "the request id");
    visitor.check_page("unavailable").await;
}

/// A redirect would loop when the console accepts a session that this service rejects.
async fn ended_session_beside_dify_shows_a_link(language: &str) {
    let Some(Dify(server)) = Dify::start().await else { return };
    let Some(visitor) = Visitor::start_on(server).await else { return };
    let device = visitor.device("laptop").await;
    visitor.visit(&format!("/device?lang={language}")).await;
    visitor.post("/cookie", &json!({"cookie": {"name": "access_token", "value": "ended"}})).await;
    visitor.enter_code(&device.user_code).await;
    visitor.check_page("signed-out-beside-dify").await;
    let page = visitor.address().await;
    visitor.follow("main a.button").await;
    let address = url::Url::parse(&visitor.address().await).unwrap();
    assert_eq!((address.path(), address.query_pairs().next().unwrap().1.as_ref()), ("/signin", page.as_str()));
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

/// The page shows a link, because `form-action` forbids that a form ends on another origin.
async fn console_on_another_origin_shows_a_link(language: &str) {
    let Some(visitor) = Visitor::start().await else { return };
    // `localhost` and `127.0.0.1` are different origins of one server.
    let console = format!("{}/signin", visitor.server.url.replace("127.0.0.1", "localhost"));
    let issuer = serve_beside(&visitor.server, &console).await;
    visitor.open(&format!("{issuer}/device?lang={language}")).await;
    let device = visitor.device("laptop").await;
    visitor.type_into("#user_code", &device.user_code).await;
    visitor.follow(SUBMIT).await;
    let page = visitor.address().await;
    assert!(page.starts_with(&format!("{issuer}/device/")), "{page}");
    visitor.check_page("sign-in-to-dify").await;
    visitor.follow("main a.primary").await;
    let address = url::Url::parse(&visitor.address().await).unwrap();
    assert_eq!((address.domain(), address.path()), (Some("localhost"), "/signin"));
    assert_eq!(address.query_pairs().next().unwrap(), ("redirect_url".into(), page.into()));
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

/// Serves the pages as beside a Dify with this console, on the stores of `server`. Returns their URL.
async fn serve_beside(server: &TestServer, console: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let app = &server.running().app;
    let services = Arc::clone(app.services());
    let settings = PipelineSettings {
        bearers_enabled: true,
        enterprise: false,
        standalone: false,
        connections: false,
        service_key: None,
        origins: vec![issuer.clone()],
        cross_origins: Some(Vec::new()),
        access_cookie: "access_token".to_owned(),
        csrf_cookie: "csrf_token".to_owned(),
    };
    let pipeline = Pipeline::new(
        app.rate_limiter().clone(),
        services.bearers.clone(),
        services.console.clone(),
        services.licenses.clone(),
        services.single_sign_on.clone(),
        settings,
    );
    let settings = PageSettings {
        enterprise: false,
        api_url: None,
        standalone: false,
        connections: false,
        issuer: issuer.clone(),
        console_sign_in_url: Some(console.to_owned()),
        prefill_links: true,
        client_commands: Arc::new(ClientCommands::new(&issuer, &["difyctl".to_owned()], &BTreeMap::new())),
        api_reference: false,
        branding: Arc::new(Branding::default()),
    };
    let clock = Arc::clone(&app.context().clock);
    let pages = PageDependencies {
        services,
        pipeline,
        keys: Arc::new(keys()),
        entropy: Arc::new(SystemEntropy),
        clock,
        settings,
    };
    let address = axum::Extension(ClientAddress(Ipv4Addr::LOCALHOST.into()));
    let router = pages::routes(pages).unwrap().router.layer(address);
    tokio::spawn(async move { axum::serve(listener, router).await });
    issuer
}
