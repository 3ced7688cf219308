//! Concurrent requests, repeated many times.

use std::sync::Arc;

use dify_openapi::testing::{
    domain::{SubjectType, WorkspaceId, WorkspaceRole},
    ports::Clock as _,
};
use reqwest::Method;
use serde_json::json;
use tokio::sync::Barrier;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer, apps,
    database::{self, TokenRow},
    logs::Logs,
    server::{MEMBER, OWNER},
};

/// The repetitions of each race.
const ROUNDS: usize = 100;
/// The number of concurrent requests.
const AT_ONCE: usize = 64;

/// Sends requests at the same moment.
async fn at_once(requests: Vec<reqwest::RequestBuilder>) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(requests.len()));
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                Answer::to(request).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn with_status(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

on_every_database!(
    exactly_one_concurrent_poll_receives_the_token,
    exactly_one_concurrent_approval_succeeds,
    concurrent_approvals_of_two_accounts_create_one_session,
    concurrent_approvals_of_one_label_leave_one_live_row,
    concurrent_cache_fill_does_not_restore_a_revoked_token,
    exactly_one_concurrent_revocation_succeeds,
    concurrent_uses_of_an_expired_token_are_audited_once,
    concurrent_requests_do_not_exceed_the_limit,
    administrators_who_remove_each_other_leave_one,
    exactly_one_concurrent_invitation_succeeds
);

async fn exactly_one_concurrent_poll_receives_the_token(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let client = reqwest::Client::new();
    for round in 0..ROUNDS {
        let device = Device::start(&server, "laptop").await;
        assert_eq!(browser.approve(&device.user_code).await.0, 200);
        let body = json!({"client_id": "difyctl", "device_code": device.device_code});
        let poll = || client.post(server.at("/openapi/v1/oauth/device/token")).json(&body);
        let answers = at_once((0..AT_ONCE).map(|_| poll()).collect()).await;
        assert_eq!(with_status(&answers, 200), 1, "round {round}");
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            // On a busy machine a store may not respond in time; then there is no token either.
            assert!(matches!(error.as_str(), "slow_down" | "expired_token" | "temporarily_unavailable"), "{error}");
        }
    }
}

async fn exactly_one_concurrent_approval_succeeds(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let browsers = [Browser::signed_in(&server, OWNER).await, Browser::signed_in(&server, OWNER).await];
    for round in 0..ROUNDS {
        let device = Device::start(&server, &format!("laptop {round}")).await;
        let body = json!({"user_code": device.user_code});
        let approve =
            |one: usize| browsers[one % 2].request(Method::POST, "/openapi/v1/oauth/device/approve").json(&body);
        let answers = at_once((0..AT_ONCE).map(approve).collect()).await;
        assert_eq!(with_status(&answers, 200), 1, "round {round}");
        assert_eq!(with_status(&answers, 409), AT_ONCE - 1, "round {round}");
        let live = format!("oauth_access_tokens WHERE device_label = 'laptop {round}' AND revoked_at IS NULL");
        assert_eq!(database::count(&server, &live).await, 1);
        let (status, body) = device.poll().await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            Bearer::with_token(&server, body["token"].as_str().unwrap(), "").get("/openapi/v1/workspaces").await.0,
            200
        );
    }
}

async fn concurrent_approvals_of_two_accounts_create_one_session(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let (owner, member) = (Browser::signed_in(&server, OWNER).await, Browser::signed_in(&server, MEMBER).await);
    for round in 0..ROUNDS * 3 {
        let label = format!("laptop {round}");
        let device = Device::start(&server, &label).await;
        let body = json!({"user_code": device.user_code});
        let approve = |browser: &Browser| browser.request(Method::POST, "/openapi/v1/oauth/device/approve").json(&body);
        let deny = owner.request(Method::POST, "/openapi/v1/oauth/device/deny").json(&body);
        let answers = at_once(vec![approve(&owner), approve(&member), deny]).await;
        assert_eq!(with_status(&answers, 200), 1, "round {round}");
        let live = format!("oauth_access_tokens WHERE device_label = '{label}' AND revoked_at IS NULL");
        let denied = answers[2].status == 200;
        assert_eq!(database::count(&server, &live).await, i64::from(!denied), "round {round}");
        assert_eq!(device.poll().await.0, if denied { 400 } else { 200 }, "round {round}");
    }
}

async fn concurrent_approvals_of_one_label_leave_one_live_row(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for round in 0..ROUNDS {
        let label = format!("laptop {round}");
        let mut devices = Vec::new();
        for _ in 0..8 {
            devices.push(Device::start(&server, &label).await);
        }
        let approve = |device: &Device| {
            let body = json!({"user_code": device.user_code});
            browser.request(Method::POST, "/openapi/v1/oauth/device/approve").json(&body)
        };
        let answers = at_once(devices.iter().map(approve).collect()).await;
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 409 | 503), "{}", answer.text);
        }
        assert!(with_status(&answers, 200) >= 1);
        let live = format!("oauth_access_tokens WHERE device_label = '{label}' AND revoked_at IS NULL");
        assert_eq!(database::count(&server, &live).await, 1, "round {round}");
        let mut tokens = 0;
        for device in &devices {
            tokens += usize::from(device.poll().await.0 == 200);
        }
        assert_eq!(tokens, 1, "exactly one token, round {round}");
    }
}

async fn concurrent_cache_fill_does_not_restore_a_revoked_token(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let account = database::account_id(&server, OWNER).await;
    let keeper = Bearer::sign_in(&server, OWNER, "keeper").await;
    for round in 0..ROUNDS * 3 {
        // Inserted directly, so the first use misses the cache.
        let label = format!("laptop {round}");
        let row = database::TokenRow {
            subject_type: dify_openapi::testing::domain::SubjectType::Account,
            account_id: Some(&account),
            email: OWNER,
            label: &label,
            expires_in: 3_600,
            revoked: false,
        };
        let (token, id) = database::insert_token(&server, &row).await;
        let bearer = Bearer::with_token(&server, &token, &id);
        let mut requests: Vec<_> = (0..6).map(|_| bearer.request(Method::GET, "/openapi/v1/workspaces")).collect();
        requests.push(keeper.request(Method::DELETE, &format!("/openapi/v1/account/sessions/{id}")));
        let answers = at_once(requests).await;
        assert_eq!(answers[6].status, 200, "{}", answers[6].text);
        for _ in 0..3 {
            let (status, body) = bearer.get("/openapi/v1/workspaces").await;
            assert_eq!((status, body["code"].as_str()), (401, Some("bearer_invalid")), "round {round}");
        }
    }
}

async fn exactly_one_concurrent_revocation_succeeds(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let keeper = Bearer::sign_in_with(&server, &browser, "keeper").await;
    for round in 0..ROUNDS {
        let lost = Bearer::sign_in_with(&server, &browser, "lost").await;
        let path = format!("/openapi/v1/account/sessions/{}", lost.token_id);
        let answers = at_once((0..16).map(|_| keeper.request(Method::DELETE, &path)).collect()).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses[0], 200, "round {round}");
        // On a busy machine a store may not respond in time; then there is no second success either.
        assert!(statuses[1..].iter().all(|status| matches!(status, 404 | 503)), "round {round}: {statuses:?}");
    }
}

async fn concurrent_uses_of_an_expired_token_are_audited_once(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let logs = Logs::capture();
    let account = database::account_id(&server, OWNER).await;
    for round in 0..ROUNDS {
        let label = format!("laptop {round}");
        let row = database::TokenRow {
            subject_type: dify_openapi::testing::domain::SubjectType::Account,
            account_id: Some(&account),
            email: OWNER,
            label: &label,
            expires_in: -1,
            revoked: false,
        };
        let (token, id) = database::insert_token(&server, &row).await;
        let bearer = Bearer::with_token(&server, &token, &id);
        let requests = (0..AT_ONCE).map(|_| bearer.request(Method::GET, "/openapi/v1/workspaces")).collect();
        let answers = at_once(requests).await;
        // On a busy machine a store may not respond in time.
        assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 503)), "round {round}: {answers:?}");
        let rejected = answers.iter().filter(|answer| answer.status == 401);
        let codes: std::collections::BTreeSet<_> = rejected.map(Answer::code).collect();
        assert!(codes.contains("bearer_expired"), "{codes:?}");
        assert!(codes.iter().all(|code| matches!(code.as_str(), "bearer_expired" | "bearer_invalid")), "{codes:?}");
        assert_eq!(logs.matching(&["audit", "oauth.token_expired", &id]).len(), 1, "round {round}");
    }
}

async fn concurrent_requests_do_not_exceed_the_limit(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=20/1h,account=0")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for label in ["a", "b", "c"] {
        let bearer = Bearer::sign_in_with(&server, &browser, label).await;
        // The first use fills the cache and is charged like every other.
        let requests = (0..AT_ONCE).map(|_| bearer.request(Method::GET, "/openapi/v1/workspaces")).collect();
        let answers = at_once(requests).await;
        assert_eq!((with_status(&answers, 200), with_status(&answers, 429)), (20, AT_ONCE - 20));
    }
}

async fn administrators_who_remove_each_other_leave_one(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let workspace = apps::shared_workspace(&server).await;
    let mut admins = Vec::new();
    for email in ["ada@example.com", "grace@example.com"] {
        let id = server.sql().create_account(email, "Admin", None, server.clock.now()).await.unwrap().to_string();
        let row = TokenRow {
            subject_type: SubjectType::Account,
            account_id: Some(&id),
            email,
            label: "laptop",
            expires_in: 3_600,
            revoked: false,
        };
        let (token, token_id) = database::insert_token(&server, &row).await;
        admins.push((Bearer::with_token(&server, &token, &token_id), id, email));
    }
    let [(ada, ada_id, _), (grace, grace_id, _)] = admins.as_slice() else { panic!("two administrators") };
    let joined: WorkspaceId = workspace.parse().unwrap();
    for round in 0..ROUNDS / 4 {
        for (_, _, email) in &admins {
            // One of them is still a member since the round before.
            let _ = server.sql().add_member(joined, email, WorkspaceRole::Admin, server.clock.now()).await;
        }
        let remove = |bearer: &Bearer, id: &str| {
            bearer.request(Method::DELETE, &format!("/openapi/v1/workspaces/{workspace}/members/{id}"))
        };
        let answers = at_once(vec![remove(ada, grace_id), remove(grace, ada_id)]).await;
        assert_eq!((with_status(&answers, 200), with_status(&answers, 404)), (1, 1), "round {round}: {answers:?}");
    }
}

async fn exactly_one_concurrent_invitation_succeeds(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let path = format!("/openapi/v1/workspaces/{}/members", apps::shared_workspace(&server).await);
    let owner = Bearer::sign_in(&server, OWNER, "laptop").await;
    for round in 0..ROUNDS / 10 {
        let body = json!({"email": format!("person-{round}@example.com"), "role": "normal"});
        let invite = || owner.request(Method::POST, &path).json(&body);
        let answers = at_once((0..8).map(|_| invite()).collect()).await;
        assert_eq!((with_status(&answers, 201), with_status(&answers, 409)), (1, 7), "round {round}: {answers:?}");
    }
}
