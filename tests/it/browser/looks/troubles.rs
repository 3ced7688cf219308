//! The states that only come up where something outside is wrong: a store is away, a fault, two people at once, a server
//! with bearers switched off, a console of Dify's where people sign in.

use std::{net::Ipv4Addr, sync::Arc};

use dify_openapi::testing::{
    domain::{ClaimId, ClaimOutcome, ClientAddress, KeyRing, Secret, UserCode},
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

in_both_languages! {
    async fn a_fault_has_a_reference(visitor: &Visitor) {
        visitor.sign_in().await;
        database::execute(&visitor.server, "ALTER TABLE oauth_access_tokens RENAME TO hidden").await;
        visitor.visit("/device/sessions").await;
        assert!(visitor.text_of(".result .mono").await.len() >= 16, "what the log calls it");
        visitor.check("fault").await;
        database::execute(&visitor.server, "ALTER TABLE hidden RENAME TO oauth_access_tokens").await;
        visitor.follow("main a.button").await;
        assert_eq!(visitor.count(".empty").await, 1, "trying again helps");
    }

    async fn somebody_else_approves_at_this_moment(visitor: &Visitor) {
        visitor.sign_in().await;
        let device = visitor.device("laptop").await;
        visitor.enter_code(&device.user_code).await;
        let codes = keys().user_code_keys(&UserCode::parse(&device.user_code).unwrap());
        let grants = &visitor.server.running().app.stores().grants;
        let claim = grants.claim(&codes, ClaimId(uuid::Uuid::new_v4())).await.unwrap();
        assert!(matches!(claim, ClaimOutcome::Taken(_)));
        visitor.click("#mine").await;
        visitor.follow(AUTHORIZE).await;
        visitor.check("approve-in-progress").await;
        visitor.server.advance(11);
        visitor.follow("main a.button").await;
        assert_eq!(visitor.text_of(".code strong").await, device.user_code, "it came to nothing, so it is asked again");
    }

    with ("ENABLE_OAUTH_BEARER", "false");
    async fn bearers_are_switched_off(visitor: &Visitor) {
        visitor.sign_in().await;
        visitor.enter_code("WXYV-3456").await;
        // No device gets a code here, so this is a page from before, sent now.
        let send = "document.querySelector('.person form').action = location.pathname + '/deny'";
        visitor.run(send, &[]).await;
        visitor.follow(".person button").await;
        visitor.check("switched-off").await;
        assert_eq!(visitor.count("main a.button").await, 0, "nothing that could be tried");
    }
}

/// Redis is gone while somebody decides.
async fn unavailable(language: &str) {
    let (Some(redis), Some(stores)) = (RedisProcess::start().await, Stores::servers().await) else { return };
    let Stores::Servers { database, prefix, .. } = stores else { return };
    let stores = Stores::Servers { database, redis: redis.url(), prefix };
    let Some(visitor) = Visitor::arrive_at(TestServer::start_with(stores, &[]).await).await else { return };
    visitor.visit(&format!("/device?lang={language}")).await;
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    redis.kill();
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert!(visitor.text_of(".result .mono").await.len() >= 16, "what the log calls it");
    visitor.check("unavailable").await;
}

/// Beside Dify, a console session that is over: its console might take it for good and send the person back at once.
async fn over_beside_dify(language: &str) {
    let Some(Dify(server)) = Dify::start().await else { return };
    let Some(visitor) = Visitor::arrive_at(server).await else { return };
    let device = visitor.device("laptop").await;
    visitor.visit(&format!("/device?lang={language}")).await;
    visitor.post("/cookie", &json!({"cookie": {"name": "access_token", "value": "over"}})).await;
    visitor.enter_code(&device.user_code).await;
    visitor.check("signed-out-beside-dify").await;
    let page = visitor.address().await;
    visitor.follow("main a.button").await;
    let address = url::Url::parse(&visitor.address().await).unwrap();
    assert_eq!((address.path(), address.query_pairs().next().unwrap().1.as_ref()), ("/signin", page.as_str()));
    assert_eq!(visitor.complaints().await, Vec::<String>::new());
}

/// Beside a Dify whose console has an origin of its own: people get there by a link, which no policy of ours forbids.
async fn elsewhere(language: &str) {
    let Some(visitor) = Visitor::arrive().await else { return };
    // Another name is another origin, whatever answers under it.
    let console = format!("{}/signin", visitor.server.url.replace("127.0.0.1", "localhost"));
    let issuer = serve_beside(&visitor.server, &console).await;
    visitor.open(&format!("{issuer}/device?lang={language}")).await;
    let device = visitor.device("laptop").await;
    visitor.enter("#user_code", &device.user_code).await;
    // A form of ours ends here: a redirect on to the console would be one that `form-action` forbids.
    visitor.follow(SUBMIT).await;
    let page = visitor.address().await;
    assert!(page.starts_with(&format!("{issuer}/device/")), "{page}");
    visitor.check("sign-in-to-dify").await;
    visitor.follow("main a.primary").await;
    let address = url::Url::parse(&visitor.address().await).unwrap();
    assert_eq!((address.domain(), address.path()), (Some("localhost"), "/signin"));
    assert_eq!(address.query_pairs().next().unwrap(), ("redirect_url".into(), page.into()));
    assert_eq!(visitor.complaints().await, Vec::<String>::new());
}

/// The pages as they are beside a Dify whose console is there, on the stores of a server. Where they are.
async fn serve_beside(server: &TestServer, console: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let app = &server.running().app;
    let services = Arc::clone(app.services());
    let settings = PipelineSettings {
        bearers_enabled: true,
        enterprise: false,
        standalone: false,
        service_key: None,
        origins: vec![issuer.clone()],
        cross_origins: Some(Vec::new()),
        access_cookie: "access_token".to_owned(),
        csrf_cookie: "csrf_token".to_owned(),
    };
    let pipeline =
        Pipeline::new(app.rate_limiter().clone(), services.bearers.clone(), services.console.clone(), settings);
    let settings =
        PageSettings { standalone: false, issuer: issuer.clone(), console_sign_in_url: Some(console.to_owned()) };
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

macro_rules! told_in_both_languages {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn in_english() {
                super::$name("en").await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn in_chinese() {
                super::$name("zh").await;
            }
        }
    )*};
}

told_in_both_languages! { unavailable over_beside_dify elsewhere }
