//! A real Prometheus scrapes a real process: each alert fires while its trouble lasts, none fires before, and the panels
//! of the dashboard have data.

use std::{
    collections::BTreeSet,
    process::Command,
    time::{Duration, Instant},
};

use dify_openapi::testing::{
    domain::LimitName,
    rpc::proto::{GetAccountRequest, GetHealthRequest},
};
use futures_util::future::join_all;
use serde_json::json;
use tonic::transport::{Channel, Endpoint};
use url::Url;

use super::panels;
use crate::support::{
    Bearer, Browser, Stores, TestServer, apps,
    collector::{Collector, exporting_to},
    database::execute_at,
    grpc::{Clients, with_bearer},
    process::signal,
    prometheus::{Prometheus, RATE_INTERVAL},
    server::{MEMBER, OWNER, free_port},
    server_process::ServerProcess,
    tcp_proxy::{TcpProxy, Traffic},
};

const ACCOUNT: &str = "/openapi/v1/account";
/// The time limit of an alert.
const ALERT_LIMIT: Duration = Duration::from_mins(3);
/// Alerts that a machine with too many tests can cause.
const OF_A_BUSY_MACHINE: [&str; 3] = ["DifyOpenapiSlow", "DifyOpenapiDown", "DifyOpenapiReplicaDown"];
/// Parts of the expressions that have no data here: those of failures, and of calls to other services.
const WITHOUT_DATA: [&str; 3] = ["error_type!=", "http_client_request_duration", "openapi_enterprise_circuit_open"];

/// A process whose database and collector can be cut off.
struct Live {
    /// Halted: the process has its address and its stores.
    server: TestServer,
    process: ServerProcess,
    prometheus: Prometheus,
    /// The database without the proxy.
    database: String,
    postgres: TcpProxy,
    collector: TcpProxy,
    channel: Channel,
    owner: Bearer,
    member: Bearer,
    /// An app whose definition needs more memory than there is.
    heavy: String,
}

impl Live {
    /// `None` with a message when the tests have no servers.
    async fn start() -> Option<Self> {
        let Stores::Servers { database, redis, prefix } = Stores::servers().await? else { return None };
        let port = |url: &str| Url::parse(url).unwrap().port().unwrap();
        let postgres = TcpProxy::to(port(&database)).await;
        let proxied = database.replace(&format!(":{}/", port(&database)), &format!(":{}/", postgres.port));
        let (_, endpoint) = Collector::start().await;
        let collector = TcpProxy::to(port(&endpoint)).await;

        let limits = LimitName::ALL.iter().filter(|limit| **limit != LimitName::Token);
        let limits: Vec<_> = limits.map(|limit| format!("{}=0", limit.as_str())).collect();
        let variables = [("OPENAPI_RATE_LIMITS", limits.join(",")), ("MEMORY_LIMIT_MIB", "128".to_owned())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let stores = Stores::Servers { database: proxied, redis, prefix };
        let mut server = TestServer::start_with(stores, &variables).await;
        let owner = Bearer::sign_in(&server, OWNER, "laptop").await;
        let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
        let workspace = apps::shared_workspace(&server).await;
        let heavy = apps::insert(&server, &workspace, "Heavy", "workflow", 0).await;
        let mut graph = apps::form_graph(&json!([]));
        graph["nodes"][0]["data"]["extra"] = json!(vec![json!([]); 200_000]);
        apps::publish(&server, &heavy, &graph, &json!({})).await;
        server.halt().await;

        let admin = format!("127.0.0.1:{}", free_port());
        let endpoint = format!("http://{}", collector.authority());
        let variables = [[("ADMIN_LISTEN", admin.as_str())].as_slice(), &exporting_to(&endpoint)].concat();
        let process = ServerProcess::start_with(&server, &variables).await;
        let channel = Endpoint::from_shared(server.url.clone()).unwrap().connect_lazy();
        let prometheus = Prometheus::start(&admin).await;
        Some(Self { server, process, prometheus, database, postgres, collector, channel, owner, member, heavy })
    }

    /// Repeats a trouble until its alerts fire.
    async fn until_firing(&self, alerts: &[&str], trouble: impl AsyncFn()) {
        let deadline = Instant::now() + ALERT_LIMIT;
        loop {
            trouble().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let firing = self.prometheus.firing().await;
            if alerts.iter().all(|alert| firing.contains(*alert)) {
                return;
            }
            assert!(Instant::now() < deadline, "of {alerts:?}, only {firing:?} fire");
        }
    }

    /// Requests and calls that succeed.
    async fn use_normally(&self) {
        assert_eq!(self.member.get("/openapi/v1/_health").await.0, 200);
        Clients::on(self.channel.clone()).meta.get_health(GetHealthRequest {}).await.unwrap();
        assert_eq!(Browser::anonymous(&self.server).get("/openapi/v1/_version").await.0, 200);
    }

    /// Titles of panels without data.
    async fn empty_panels(&self) -> BTreeSet<String> {
        let mut empty = BTreeSet::new();
        for (title, expression) in panels() {
            if WITHOUT_DATA.iter().any(|part| expression.contains(part)) {
                continue;
            }
            let expression = expression.replace("$__rate_interval", RATE_INTERVAL).replace("$job", ".+");
            let values = self.prometheus.query(&expression).await;
            if values.iter().all(|value| value.is_nan()) {
                empty.insert(format!("{title}: {expression}"));
            }
        }
        empty
    }

    async fn guess_passwords(&self) {
        let browser = Browser::anonymous(&self.server);
        join_all((0..10).map(|_| browser.login(OWNER, "a-wrong-password-1"))).await;
    }

    async fn exceed_the_token_limit(&self) {
        for _ in 0..5 {
            join_all((0..10).map(|_| self.owner.get(ACCOUNT))).await;
        }
    }

    async fn describe_the_heavy_app(&self) {
        let path = format!("/openapi/v1/apps/{}/describe?fields=parameters", self.heavy);
        let (status, body) = self.member.get(&path).await;
        assert!([413, 429].contains(&status), "{body}");
    }

    /// Requests that wait for a lock of the database.
    async fn wait_for_a_lock(&self) {
        let lock = "BEGIN; LOCK TABLE tenants IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT";
        let requests = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            join_all((0..5).map(|_| self.member.get("/openapi/v1/workspaces"))).await;
        };
        tokio::join!(execute_at(&self.database, lock), requests);
    }

    /// Sets the limit of file descriptors so that nearly all are in use.
    async fn lower_the_descriptor_limit(&self) {
        // There is no value after a scrape that took too long.
        if let [open] = self.prometheus.query("process_open_fds").await[..] {
            self.set_descriptor_limit(&format!("{:.0}:", open / 0.85));
        }
    }

    fn set_descriptor_limit(&self, limit: &str) {
        let pid = format!("--pid={}", self.process.id());
        let status = Command::new("prlimit").args([pid, format!("--nofile={limit}")]).status().unwrap();
        assert!(status.success());
    }

    /// A request and a call with a new token, which is looked up in the database.
    async fn use_a_new_token(&self) {
        let token = format!("dfoa_{:0>43}", uuid::Uuid::new_v4().simple().to_string());
        let mut clients = Clients::on(self.channel.clone());
        let called = clients.identity.get_account(with_bearer(GetAccountRequest {}, &token));
        let bearer = Bearer::with_token(&self.server, &token, "");
        let (called, (status, _)) = tokio::join!(called, bearer.get(ACCOUNT));
        assert_eq!((called.unwrap_err().code(), status), (tonic::Code::Unavailable, 503));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_fire_while_their_trouble_lasts_and_panels_have_data() {
    let Some(live) = Live::start().await else { return };

    let deadline = Instant::now() + ALERT_LIMIT;
    loop {
        live.use_normally().await;
        let mut firing = live.prometheus.firing().await;
        firing.retain(|alert| !OF_A_BUSY_MACHINE.contains(&alert.as_str()));
        assert!(firing.is_empty(), "{firing:?}");
        let empty = live.empty_panels().await;
        if empty.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "panels without data: {empty:#?}");
    }

    live.until_firing(&["DifyOpenapiPasswordGuessing"], || live.guess_passwords()).await;
    live.until_firing(&["DifyOpenapiRateLimited"], || live.exceed_the_token_limit()).await;
    live.until_firing(&["DifyOpenapiMemoryExhausted"], || live.describe_the_heavy_app()).await;
    live.until_firing(&["DifyOpenapiSlow"], || live.wait_for_a_lock()).await;
    live.until_firing(&["DifyOpenapiFileDescriptors"], || live.lower_the_descriptor_limit()).await;
    live.set_descriptor_limit("1024:");

    live.postgres.set_traffic(Traffic::Refused);
    live.collector.set_traffic(Traffic::Refused);
    let alerts = ["RequestsFail", "CallsFail", "NotReady", "JobFails", "TelemetryLost"];
    let alerts = alerts.map(|alert| format!("DifyOpenapi{alert}"));
    live.until_firing(&alerts.each_ref().map(String::as_str), || live.use_a_new_token()).await;

    signal("KILL", &[live.process.id()]);
    live.until_firing(&["DifyOpenapiDown", "DifyOpenapiReplicaDown"], async || {}).await;
}
