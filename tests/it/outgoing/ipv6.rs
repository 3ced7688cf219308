//! Listeners on an IPv6 literal, and connections to one.

use dify_openapi::testing::rpc::proto::GetHealthRequest;
use serde_json::json;

use super::{
    redis_topologies::{assert_signs_in, form_cluster},
    upstream::Upstream,
};
use crate::{
    files::s3::Bucket,
    support::{
        Answer, Bearer, OpenIdProvider, Stores, TestServer,
        collector::Collector,
        enterprise_service::EnterpriseService,
        exporting_server::ExportingServer,
        grpc::{Clients, channel, internal_channel},
        plugin_daemon::PluginDaemon,
        redis_process::RedisProcess,
        server::{OWNER, SERVICE_KEY, free_port},
        tcp_proxy::TcpProxy,
        token_provider::TokenProvider,
    },
};

/// The URL through a proxy on `[::1]`; `None` without IPv6.
async fn over_ipv6(url: &str) -> Option<(String, TcpProxy)> {
    let mut url: url::Url = url.parse().unwrap();
    let proxy = TcpProxy::from_ipv6(url.port().unwrap()).await?;
    url.set_host(Some("[::1]")).unwrap();
    url.set_port(Some(proxy.port)).unwrap();
    Some((url.as_str().trim_end_matches('/').to_owned(), proxy))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listener_serves_on_an_ipv6_address() {
    // Finds out whether there is IPv6.
    if TcpProxy::from_ipv6(1).await.is_none() {
        return;
    }
    let public = format!("[::1]:{}", free_port());
    let url = format!("http://{public}");
    let variables = [
        ("LISTEN", public.as_str()),
        ("CONSOLE_WEB_URL", &url),
        ("ADMIN_LISTEN", "[::1]:0"),
        ("INNER_LISTEN", "[::1]:0"),
        ("GRPC_LISTEN", "[::1]:0"),
    ];
    let server = TestServer::start_with(Stores::Sqlite, &variables).await;
    let bound = server.running().bound;
    assert!([Some(bound.public), bound.admin, bound.grpc, bound.inner].iter().all(|one| one.unwrap().is_ipv6()));
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    assert_eq!(reqwest::get(server.admin("/readyz")).await.unwrap().status(), 200);
    let request = reqwest::Client::new().post(server.inner("/openapi/v1/oauth/introspect"));
    let request = request.header("enterprise-api-secret-key", SERVICE_KEY).json(&json!({"token": bearer.token}));
    assert_eq!(Answer::to(request).await.json()["active"], true);
    for channel in [channel(&server).await, internal_channel(&server).await] {
        assert!(Clients::on(channel).meta.get_health(GetHealthRequest {}).await.unwrap().into_inner().ok);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_and_postgres_are_reached_at_ipv6_literals() {
    let Some(stores) = Stores::servers().await else { return };
    let Stores::Servers { database, redis, .. } = &stores else { return };
    let Some((redis_url, redis_proxy)) = over_ipv6(redis).await else { return };
    let Some((database_url, database_proxy)) = over_ipv6(database).await else { return };
    let server = TestServer::start_with(stores.clone(), &[]).await;
    let (redis_port, database_port) = (redis_proxy.port.to_string(), database_proxy.port.to_string());
    let name = database.rsplit_once('/').unwrap().1;
    let (_, rest) = database_url.split_once("[::1]").unwrap();
    let several = format!("postgres://postgres@127.0.0.1:{},[::1]{rest}", free_port());
    let parts = |host: &'static str| {
        vec![
            ("DATABASE_URL", ""),
            ("DB_HOST", host),
            ("DB_PORT", database_port.as_str()),
            ("DB_DATABASE", name),
            ("DB_USERNAME", "postgres"),
        ]
    };
    let redis_parts =
        |host: &'static str| vec![("REDIS_URL", ""), ("REDIS_HOST", host), ("REDIS_PORT", redis_port.as_str())];
    let cases = [
        (&redis_proxy, vec![("REDIS_URL", redis_url.as_str())]),
        (&redis_proxy, redis_parts("::1")),
        (&redis_proxy, redis_parts("[::1]")),
        (&database_proxy, vec![("DATABASE_URL", database_url.as_str())]),
        (&database_proxy, vec![("DATABASE_URL", several.as_str())]),
        (&database_proxy, parts("::1")),
        (&database_proxy, parts("[::1]")),
    ];
    for (proxy, variables) in cases {
        let before = proxy.connections();
        let replica = server.replica_with(&variables).await;
        assert_signs_in(&replica).await;
        assert!(proxy.connections() > before, "{variables:?}");
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_is_reached_at_an_ipv6_literal() {
    let Some(Stores::Servers { database, redis, prefix }) = Stores::mariadb().await else { return };
    let Some((database, proxy)) = over_ipv6(&database).await else { return };
    let server = TestServer::start_with(Stores::Servers { database, redis, prefix }, &[]).await;
    assert_signs_in(&server).await;
    assert!(proxy.connections() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_and_clusters_are_reached_at_ipv6_literals() {
    let Some(master) = RedisProcess::start().await else { return };
    let monitor = format!("sentinel monitor mymaster 127.0.0.1 {} 1\nsentinel resolve-hostnames no", master.port);
    let Some(sentinel) = RedisProcess::start_sentinel(&monitor).await else { return };
    let Some(sentinel_proxy) = TcpProxy::from_ipv6(sentinel.port).await else { return };
    // Without a proxy, because the node's own port is used for its slots. A later `bind` replaces the first one.
    let configuration = "port {port}\ncluster-enabled yes\nbind 127.0.0.1 ::1";
    let Some(node) = RedisProcess::start_with(configuration).await else { return };
    form_cluster(&node, &[]).await;
    let [sentinels, nodes] = [sentinel_proxy.port, node.port].map(|port| format!("[::1]:{port}"));
    let cases = [
        vec![
            ("REDIS_USE_SENTINEL", "true"),
            ("REDIS_SENTINELS", sentinels.as_str()),
            ("REDIS_SENTINEL_SERVICE_NAME", "mymaster"),
        ],
        vec![("REDIS_USE_CLUSTERS", "true"), ("REDIS_CLUSTERS", nodes.as_str())],
    ];
    for variables in cases {
        let variables = [variables, vec![("REDIS_KEY_PREFIX", "it")]].concat();
        assert_signs_in(&TestServer::start_with(Stores::Sqlite, &variables).await).await;
    }
    assert!(sentinel_proxy.connections() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_servers_are_reached_at_ipv6_literals() {
    let upstreams = [
        Upstream::models().await,
        Upstream::dify().await,
        Upstream::Enterprise(EnterpriseService::start().await),
        Upstream::IdentityProvider(OpenIdProvider::start().await),
        Upstream::PluginDaemon(PluginDaemon::start().await),
        Upstream::http_node().await,
        Upstream::Tokens(TokenProvider::start().await),
    ];
    for mut upstream in upstreams.into_iter().chain(Bucket::find().map(Upstream::Bucket)) {
        let Some((url, proxy)) = over_ipv6(upstream.url()).await else { return };
        // `None` without Dify's database.
        if let Some(reached) = upstream.is_reached(&url, &[]).await {
            assert!(reached && proxy.connections() > 0, "{url} for {}", upstream.url());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_are_reached_at_ipv6_literals() {
    let (over_grpc, grpc_url) = Collector::start().await;
    let port = free_port();
    let over_http = Collector::start_over_http(port).await;
    for (collector, url, protocol) in
        [(over_grpc, grpc_url, "grpc"), (over_http, format!("http://127.0.0.1:{port}/otlp"), "http/protobuf")]
    {
        let Some((url, _proxy)) = over_ipv6(&url).await else { return };
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme"),
            ("OTEL_METRICS_EXPORTER", "none"),
        ];
        let server = ExportingServer::start_with(&variables).await;
        server.send().await;
        collector.wait_for("of the request", |span| span.name == "GET /openapi/v1/_version").await;
    }
}
