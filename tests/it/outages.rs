//! Stores that are killed, paused, or come back empty while everything goes on: what is promised holds, nothing hangs, and
//! all of it heals by itself (contract sections 3 and 13).

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

/// Longer than any answer may take, whatever happens to the stores.
const RESPONSE_LIMIT: Duration = Duration::from_secs(8);
/// How soon everything works again once the stores do.
const RECOVERY_LIMIT: Duration = Duration::from_secs(15);
/// Limits are not what this is about. Logins keep theirs: an outage must lock nobody out.
const NO_LIMITS: &str =
    "token=0,account=0,device_code=0,device_token=0,lookup=0,user_code=0,unknown_bearer=0,approve=0,revoke=0,refresh=0";

/// A server on stores that nobody else has, and somebody in the middle of everything.
struct Deployment {
    server: TestServer,
    redis: RedisProcess,
    postgres: PostgresProcess,
    redis_proxy: TcpProxy,
    postgres_proxy: TcpProxy,
    browser: Browser,
    /// Used a moment ago, so cached.
    warm: Bearer,
    /// Never used, so not.
    cold: Bearer,
    /// Revoked before it was ever used.
    revoked: Bearer,
    /// About to be revoked by its owner.
    revoked_by_owner: Bearer,
    /// About to be revoked by its holder.
    revoked_by_holder: Bearer,
    pending: Device,
    approved: Device,
    to_approve: Device,
    to_deny: Device,
}

impl Deployment {
    /// `None`, said aloud, where the tests have no servers.
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

    /// Does everything at once, and holds each answer to its time.
    async fn send_all(&self) -> Vec<Outcome> {
        let began = Instant::now();
        let outcomes = futures_util::future::join_all(self.all_requests()).await;
        assert!(began.elapsed() < RESPONSE_LIMIT, "the last answer took {:?}", began.elapsed());
        outcomes
    }

    /// Asks until everything is as expected again.
    async fn wait_until_healthy(&self) {
        let began = Instant::now();
        loop {
            let outcomes = futures_util::future::join_all(self.read_requests()).await;
            let ill: Vec<_> = outcomes.iter().filter(|outcome| outcome.code != "200 ok").collect();
            if ill.is_empty() {
                return;
            }
            assert!(began.elapsed() < RECOVERY_LIMIT, "still ill: {ill:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The rest of every story, once the stores are back: what was live lives, what was revoked is dead.
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

/// A session that was made behind the server's back, so that no cache knows it.
async fn inserted(server: &TestServer, label: &str, revoked: bool) -> Bearer {
    let account = database::account_id(server, OWNER).await;
    let row = TokenRow {
        subject_type: dify_openapi::testing::domain::subject::SubjectType::Account,
        account_id: Some(&account),
        email: OWNER,
        label,
        expires_in: 3_600,
        revoked,
    };
    let (token, id) = database::insert_token(server, &row).await;
    Bearer::with_token(server, &token, &id)
}

/// Compares what happened with what was promised, all at once.
fn assert_outcomes(outcomes: &[Outcome], promised: &[(&str, &str)]) {
    let found: Vec<_> = outcomes.iter().map(|outcome| (outcome.what, outcome.code.as_str())).collect();
    let wrong: Vec<_> = promised.iter().filter(|promise| !found.contains(promise)).collect();
    assert!(wrong.is_empty() && found.len() == promised.len(), "promised {wrong:?} of {found:#?}");
}
