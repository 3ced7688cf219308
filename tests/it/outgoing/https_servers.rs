//! HTTPS servers with a private authority, and with mutual TLS: those that the configuration names get the client
//! certificate, and those that users name do not.

use super::upstream::{Upstream, signs_in};
use crate::{
    files::s3::Bucket,
    runs::model_endpoint::{self, with_model},
    single_sign_on::SsoServer,
    support::{
        Bearer, OpenIdProvider, Stores, TestServer,
        authority::{Authority, text},
        enterprise_service::EnterpriseService,
        plugin_daemon::PluginDaemon,
        runs::blocking,
        server::OWNER,
        tls_proxy::{ClientCertificates, TlsProxy},
        token_provider::TokenProvider,
    },
};

/// The server refuses a certificate of an unknown authority, accepts it with `SSL_CERT_FILE`, and presents its own
/// certificate or not.
async fn check(mut upstream: Upstream, presents_certificate: bool) {
    let authority = Authority::new();
    let url = upstream.url().to_owned();
    let (ca, [certificate, key]) = (authority.file(), authority.issue_files("client"));
    let trusting = [("SSL_CERT_FILE", text(&ca))];
    let with_certificate = [
        ("SSL_CERT_FILE", text(&ca)),
        ("SSL_CLIENT_CERT_FILE", text(&certificate)),
        ("SSL_CLIENT_KEY_FILE", text(&key)),
    ];

    let requesting = TlsProxy::start(&url, &authority, ClientCertificates::Requested).await;
    let Some(reached) = upstream.is_reached(&requesting.url, &[]).await else { return };
    assert!(!reached, "the authority is unknown");
    assert!(requesting.take_presented().is_empty(), "the handshake fails");
    assert_eq!(upstream.is_reached(&requesting.url, &trusting).await, Some(true));
    let presented = requesting.take_presented();
    assert!(!presented.is_empty() && presented.iter().all(Option::is_none), "there is no certificate");
    assert_eq!(upstream.is_reached(&requesting.url, &with_certificate).await, Some(true));
    let presented = requesting.take_presented();
    assert!(!presented.is_empty());
    assert!(presented.iter().all(|certificate| certificate.is_some() == presents_certificate), "{presented:?}");

    let requiring = TlsProxy::start(&url, &authority, ClientCertificates::Required).await;
    assert_eq!(upstream.is_reached(&requiring.url, &trusting).await, Some(false));
    assert_eq!(upstream.is_reached(&requiring.url, &with_certificate).await, Some(presents_certificate));
}

/// Defines a test for each kind of server.
macro_rules! kinds {
    ($($name:ident: $upstream:expr => $presents_certificate:literal,)+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            check($upstream, $presents_certificate).await;
        }
    )+};
}

kinds! {
    models_get_the_certificate: Upstream::models().await => true,
    dify_gets_the_certificate: Upstream::dify().await => true,
    enterprise_service_gets_the_certificate: Upstream::Enterprise(EnterpriseService::start().await) => true,
    identity_provider_gets_the_certificate: Upstream::IdentityProvider(OpenIdProvider::start().await) => true,
    plugin_daemon_gets_the_certificate: Upstream::PluginDaemon(PluginDaemon::start().await) => true,
    server_of_an_app_gets_no_certificate: Upstream::http_node().await => false,
    token_endpoint_of_a_connection_gets_no_certificate: Upstream::Tokens(TokenProvider::start().await) => false,
}

#[tokio::test(flavor = "multi_thread")]
async fn bucket_gets_the_certificate() {
    let Some(bucket) = Bucket::find() else { return };
    check(Upstream::Bucket(bucket), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_only_the_metadata_names_get_no_certificate() {
    let authority = Authority::new();
    let mut provider = OpenIdProvider::start().await;
    let issuer = TlsProxy::start(&provider.issuer, &authority, ClientCertificates::Required).await;
    let elsewhere = TlsProxy::start(&provider.issuer, &authority, ClientCertificates::Requested).await;
    provider.move_to(&issuer.url, &elsewhere.url);
    let (ca, [certificate, key]) = (authority.file(), authority.issue_files("client"));
    let own = [
        ("SSL_CERT_FILE", text(&ca)),
        ("SSL_CLIENT_CERT_FILE", text(&certificate)),
        ("SSL_CLIENT_KEY_FILE", text(&key)),
    ];
    let variables = [provider.variables().as_slice(), &own].concat();
    let server = TestServer::start_with(Stores::Sqlite, &variables).await;
    assert!(signs_in(&SsoServer { server, provider: provider.clone() }).await);
    let [at_issuer, other] = [issuer, elsewhere].map(|proxy| proxy.take_presented());
    assert!(!at_issuer.is_empty() && at_issuer.iter().all(Option::is_some), "{at_issuer:?}");
    assert!(!other.is_empty() && other.iter().all(Option::is_none), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_certificate_is_presented_without_a_restart() {
    let authority = Authority::new();
    let (ca, [certificate, key]) = (authority.file(), authority.issue_files("client"));
    let proxy = TlsProxy::start(&model_endpoint::endpoint().await.0, &authority, ClientCertificates::Required).await;
    let variables = [
        ("OPENAI_BASE_URL", proxy.url.as_str()),
        ("SSL_CERT_FILE", text(&ca)),
        ("SSL_CLIENT_CERT_FILE", text(&certificate)),
        ("SSL_CLIENT_KEY_FILE", text(&key)),
        ("OPENAPI_RATE_LIMITS", "token=0"),
    ];
    let server = TestServer::start_with(Stores::Sqlite, &variables).await;
    let (app, bearer) =
        (with_model(&server, "openai", "llama3").await, Bearer::sign_in(&server, OWNER, "laptop").await);
    assert_eq!(blocking(&bearer, &app, model_endpoint::body()).await.status, 200);
    let first = proxy.take_presented();
    authority.issue_files("client");
    server.running().reload_tls();
    for _ in 0..400 {
        proxy.close_connections();
        // The connection may close while the request is sent.
        blocking(&bearer, &app, model_endpoint::body()).await;
        if proxy.take_presented().iter().any(|presented| *presented != first[0]) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the renewed certificate is not presented");
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_of_directories_are_trusted_whatever_their_files_are_called() {
    let authorities = [Authority::new(), Authority::new(), Authority::new()];
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // As an administrator, and as `openssl rehash` name them.
    std::fs::copy(authorities[0].file(), directories[0].path().join("company.crt")).unwrap();
    std::os::unix::fs::symlink(authorities[1].file(), directories[1].path().join("5ad8a5d6.0")).unwrap();
    std::fs::write(directories[0].path().join("README"), "no certificate").unwrap();
    let list = std::env::join_paths(directories.iter().map(tempfile::TempDir::path)).unwrap();
    let file = authorities[2].file();
    let variables = [("SSL_CERT_DIR", list.to_str().unwrap()), ("SSL_CERT_FILE", text(&file))];
    for (index, authority) in authorities.iter().enumerate() {
        let mut upstream = Upstream::models().await;
        let proxy = TlsProxy::start(upstream.url(), authority, ClientCertificates::Requested).await;
        assert_eq!(upstream.is_reached(&proxy.url, &variables).await, Some(true), "{index}");
        assert_eq!(upstream.is_reached(&proxy.url, &variables[..1]).await, Some(index < 2), "{index}");
    }
}
