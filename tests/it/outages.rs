//! Stores that are killed, paused, or restarted empty: the promises hold, no request hangs, and the service recovers
//! without help (contract sections 3 and 13).

mod continuous_load;
mod postgres;
mod redis;
mod requests;
mod silent_connections;

use std::time::{Duration, Instant};

use self::requests::{Outcome, outcome};
use crate::support::{
    Bearer, Browser, Device, Stores, TestServer,
    database::{self, TokenRow},
    postgres_process::PostgresProcess,
    redis_process::RedisProcess,
    server::{MEMBER, OWNER},
    tcp_proxy::TcpProxy,
};

/// The time limit of every response during an outage.
const RESPONSE_LIMIT: Duration = Duration::from_secs(8);
/// The time limit of the recovery after the stores are back.
const RECOVERY_LIMIT: Duration = Duration::from_secs(15);
/// Rate limits are off except those of logins, because an outage must not lock an account.
const NO_LIMITS: &str =
    "token=0,account=0,device_code=0,device_token=0,lookup=0,user_code=0,unknown_bearer=0,approve=0,revoke=0,refresh=0";

/// A server on its own PostgreSQL and Redis, with sessions and grants in every state.
struct Deployment {
    server: TestServer,
    redis: RedisProcess,
    postgres: PostgresProcess,
    redis_proxy: TcpProxy,
    postgres_proxy: TcpProxy,
    browser: Browser,
    /// Used a moment ago, so in the cache.
    warm: Bearer,
    /// Never used, so not in the cache.
    cold: Bearer,
    /// Revoked before its first use.
    revoked: Bearer,
    /// Revoked by its owner during the outage.
    revoked_by_owner: Bearer,
    /// Revoked by its holder during the outage.
    revoked_by_holder: Bearer,
    pending: Device,
    approved: Device,
    to_approve: Device,
    to_deny: Device,
}

impl Deployment {
    /// Returns `None` with a message when the tests have no servers.
    async fn start() -> Option<Self> {
        let (redis, postgres) = (RedisProcess::start().await?, PostgresProcess::start().await?);
        let (redis_proxy, postgres_proxy) = (TcpProxy::to(redis.port).await, TcpProxy::to(postgres.port).await);
        let stores = Stores::Servers {
            database: format!("postgres://postgres@127.0.0.1:{}/postgres", postgres_proxy.port),
            redis: format!("redis://127.0.0.1:{}/0", redis_proxy.port),
            prefix: "outages".to_owned(),
        };
        let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", NO_LIMITS)]).await;
        let browser = Browser::signed_in(&server, OWNER).await;
        let approved = Device::start(&server, "approved").await;
        assert_eq!(browser.approve(&approved.user_code).await.0, 200);
        let deployment = Self {
            warm: Bearer::sign_in_with(&server, &browser, "warm").await,
            cold: inserted(&server, "cold", false).await,
            revoked: inserted(&server, "revoked", true).await,
            revoked_by_owner: inserted(&server, "revoked by owner", false).await,
            revoked_by_holder: inserted(&server, "revoked by holder", false).await,
            pending: Device::start(&server, "pending").await,
            to_approve: Device::start(&server, "to approve").await,
            to_deny: Device::start(&server, "to deny").await,
            server,
            redis,
            postgres,
            redis_proxy,
            postgres_proxy,
            browser,
            approved,
        };
        for bearer in [&deployment.warm, &deployment.revoked_by_owner, &deployment.revoked_by_holder] {
            assert_eq!(bearer.get(requests::ACCOUNT).await.0, 200);
        }
        Some(deployment)
    }

    /// Sends all requests at once and checks the time of each response.
    async fn send_all(&self) -> Vec<Outcome> {
        let began = Instant::now();
        let outcomes = futures_util::future::join_all(self.all_requests()).await;
        assert!(began.elapsed() < RESPONSE_LIMIT, "the last response took {:?}", began.elapsed());
        outcomes
    }

    /// Repeats the read requests until all succeed.
    async fn wait_until_healthy(&self) {
        let began = Instant::now();
        loop {
            let outcomes = futures_util::future::join_all(self.read_requests()).await;
            let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.code != "200 ok").collect();
            if failed.is_empty() {
                return;
            }
            assert!(began.elapsed() < RECOVERY_LIMIT, "not recovered: {failed:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Checks that live sessions and grants still work and that revoked ones do not.
    async fn assert_recovers(&self, pending_grants_live: bool) {
        self.wait_until_healthy().await;
        assert_eq!(outcome("cold", self.cold.request(reqwest::Method::GET, requests::ACCOUNT)).await.code, "200 ok");
        for bearer in [&self.revoked_by_owner, &self.revoked_by_holder] {
            let path = format!("/openapi/v1/account/sessions/{}", bearer.token_id);
            let again = outcome("again", self.warm.request(reqwest::Method::DELETE, &path)).await;
            assert!(matches!(again.code.as_str(), "200 ok" | "404 not_found"), "{again:?}");
        }
        for bearer in [&self.revoked, &self.revoked_by_owner, &self.revoked_by_holder] {
            let used = outcome("revoked", bearer.request(reqwest::Method::GET, requests::ACCOUNT)).await;
            assert_eq!(used.code, "401 bearer_invalid");
        }
        let (status, body) = self.browser.approve(&self.to_approve.user_code).await;
        if pending_grants_live {
            assert_eq!(status, 200, "{body}");
            let (status, body) = self.to_approve.poll().await;
            assert_eq!(status, 200, "{body}");
            let bearer = Bearer::with_token(&self.server, body["token"].as_str().unwrap(), "");
            assert_eq!(bearer.get(requests::ACCOUNT).await.0, 200);
        } else {
            assert_eq!(status, 404, "{body}");
            assert_eq!(self.to_approve.poll_error().await, "expired_token");
        }
        let after = Bearer::sign_in(&self.server, MEMBER, "after").await;
        assert_eq!(after.get(requests::ACCOUNT).await.0, 200);
    }
}

/// A session inserted directly into the database, so that no cache has it.
async fn inserted(server: &TestServer, label: &str, revoked: bool) -> Bearer {
    let account = database::account_id(server, OWNER).await;
    let row = TokenRow {
        subject_type: dify_openapi::testing::domain::SubjectType::Account,
        account_id: Some(&account),
        email: OWNER,
        label,
        expires_in: 3_600,
        revoked,
    };
    let (token, id) = database::insert_token(server, &row).await;
    Bearer::with_token(server, &token, &id)
}

/// Compares all outcomes with the expected ones.
fn assert_outcomes(outcomes: &[Outcome], promised: &[(&str, &str)]) {
    let found: Vec<_> = outcomes.iter().map(|outcome| (outcome.what, outcome.code.as_str())).collect();
    let missing: Vec<_> = promised.iter().filter(|promise| !found.contains(promise)).collect();
    assert!(missing.is_empty() && found.len() == promised.len(), "missing {missing:?} in {found:#?}");
}
