//! Failovers of Redis to a replica that has not received the last writes.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use super::{
    deployment::Deployment,
    requests::{ACCOUNT, APPROVE, SESSIONS},
};
use crate::support::{Answer, Bearer, Browser, Device, server::OWNER};

/// The state before the failover: two cached tokens, a device that was approved, and one that was not.
struct PreparedDeployment {
    deployment: Deployment,
    browser: Browser,
    revoked_before: Bearer,
    revoked: Bearer,
    approved: Device,
    pending: Device,
}

impl PreparedDeployment {
    async fn start(wait_replicas: &str) -> Option<Self> {
        let deployment = Deployment::start_with(&[("REDIS_WAIT_REPLICAS", wait_replicas)]).await?;
        let [one, other] = &deployment.replicas;
        let browser = Browser::signed_in(&one.server, OWNER).await;
        let revoked_before = Bearer::sign_in_with(&one.server, &browser, "revoked before").await;
        let revoked = Bearer::sign_in_with(&one.server, &browser, "revoked").await;
        let approved = Device::start(&one.server, "approved").await;
        assert_eq!(browser.approve(&approved.user_code).await.0, 200);
        let pending = Device::start(&one.server, "pending").await;
        // Cached at both replicas of the service.
        for (bearer, replica) in [(&revoked, one), (&revoked, other), (&revoked_before, other)] {
            assert_eq!(bearer.at(&replica.server).get(ACCOUNT).await.0, 200);
        }
        assert_eq!(revoke(&revoked_before).await, 200);
        deployment.redis.wait_until_synchronous().await;
        Some(Self { deployment, browser, revoked_before, revoked, approved, pending })
    }

    /// Loses what the replica has not received, and waits until both replicas of the service reach the new master.
    async fn fail_over(&self) {
        self.deployment.redis.fail_over();
        self.deployment.follow_redis();
        for replica in &self.deployment.replicas {
            let mut in_succession = 0;
            while in_succession < 8 {
                let ready = Answer::to(reqwest::Client::new().get(replica.server.at("/openapi/v1/_health"))).await;
                assert_eq!(ready.status, 200);
                // Needs Redis, and waits for no replica of it.
                let lookup = "/openapi/v1/oauth/device/lookup?user_code=3333-3333";
                let answer = Answer::to(reqwest::Client::new().get(replica.server.at(lookup))).await;
                in_succession = if answer.status == 200 { in_succession + 1 } else { 0 };
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn use_at_both(&self, bearer: &Bearer) -> [u16; 2] {
        let [one, other] = &self.deployment.replicas;
        [bearer.at(&one.server).get(ACCOUNT).await.0, bearer.at(&other.server).get(ACCOUNT).await.0]
    }

    async fn poll(&self, device: &Device) -> Answer {
        device.poll_at(&self.deployment.replicas[0].server).await
    }

    /// Approves until Redis confirms it.
    async fn approve(&self, device: &Device) {
        for _ in 0..100 {
            let answer = approve(&self.browser, device).await;
            match answer.status {
                200 => return,
                // The claim of an approval that was not confirmed lasts for ten seconds.
                503 | 409 => sleep(Duration::from_millis(200)).await,
                _ => panic!("{}", answer.text),
            }
        }
        panic!("no approval is confirmed");
    }
}

async fn approve(browser: &Browser, device: &Device) -> Answer {
    Answer::to(browser.request(Method::POST, APPROVE).json(&json!({"user_code": device.user_code}))).await
}

async fn revoke(bearer: &Bearer) -> u16 {
    bearer.delete(&format!("{SESSIONS}/self")).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn failover_takes_back_what_no_replica_has_confirmed() {
    let Some(prepared) = Box::pin(PreparedDeployment::start("0")).await else { return };
    prepared.deployment.redis.hold_replication();
    assert_eq!(revoke(&prepared.revoked).await, 200);
    assert_eq!(prepared.use_at_both(&prepared.revoked).await, [401, 401]);
    let first = prepared.poll(&prepared.approved).await;
    assert_eq!(first.status, 200, "{}", first.text);
    prepared.fail_over().await;
    // What `REDIS_WAIT_REPLICAS` prevents: a revoked token works again, and a token is delivered twice.
    assert_eq!(prepared.use_at_both(&prepared.revoked).await, [200, 200]);
    assert_eq!(prepared.poll(&prepared.approved).await.json()["token"], first.json()["token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failover_takes_back_nothing_that_was_answered_when_replicas_confirm_writes() {
    let Some(prepared) = Box::pin(PreparedDeployment::start("1")).await else { return };
    let redis = &prepared.deployment.redis;
    redis.hold_replication();
    // Nothing can be confirmed, so nothing is promised. Reads go on.
    assert_eq!(revoke(&prepared.revoked).await, 503);
    assert_eq!(prepared.poll(&prepared.approved).await.status, 503);
    assert_eq!(approve(&prepared.browser, &prepared.pending).await.status, 503);
    let codes = json!({"client_id": "difyctl", "device_label": "new"});
    assert_eq!(Device::request_codes(&prepared.deployment.replicas[1].server, &codes).await.status, 503);
    assert_eq!(prepared.use_at_both(&prepared.revoked_before).await, [401, 401]);
    prepared.fail_over().await;

    assert_eq!(prepared.use_at_both(&prepared.revoked_before).await, [401, 401]);
    redis.replace_replica().await;
    // The queued invalidation is confirmed now, or will be.
    let mut revocation = 503;
    for _ in 0..100 {
        revocation = revoke(&prepared.revoked).await;
        if revocation != 503 {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(matches!(revocation, 200 | 401 | 404), "{revocation}");
    let mut statuses = prepared.use_at_both(&prepared.revoked).await;
    // Only 200 promises something about the other replica.
    for _ in 0..100 {
        if revocation == 200 || statuses == [401, 401] {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        statuses = prepared.use_at_both(&prepared.revoked).await;
    }
    assert_eq!(statuses, [401, 401]);

    let delivered = prepared.poll(&prepared.approved).await;
    assert_eq!(delivered.status, 200, "{}", delivered.text);
    assert_eq!(prepared.poll(&prepared.approved).await.code(), "expired_token");
    prepared.approve(&prepared.pending).await;
    let delivered_later = prepared.poll(&prepared.pending).await;
    assert_eq!(delivered_later.status, 200, "{}", delivered_later.text);
    for answer in [delivered, delivered_later] {
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        let bearer = Bearer::with_token(&prepared.deployment.replicas[0].server, &token, "");
        assert_eq!(prepared.use_at_both(&bearer).await, [200, 200]);
    }
}
