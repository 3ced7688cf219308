//! Rows that this service writes into Dify's token table equal those of Dify and are rotated like them.

use chrono::{DateTime, Utc};
use dify_openapi::testing::{domain::sha256_hex, ports::Clock as _};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Bearer, Device, Dify,
    database::{count, execute, text},
    dify::{ALICE, ALICE_ID},
};

const ACCOUNT: &str = "/openapi/v1/account";
const SESSIONS: &str = "/openapi/v1/account/sessions";

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// Checks everything that Dify expects of a row.
fn assert_matches_row_of_dify(row: &Value, token: &str, label: &str) {
    let id = uuid::Uuid::try_parse(row["id"].as_str().unwrap()).unwrap();
    assert_eq!(id.get_version_num(), 7, "{row}");
    assert_eq!(row["subject_email"], ALICE);
    assert_eq!(row["subject_issuer"], "dify:account");
    assert_eq!(row["account_id"], ALICE_ID);
    assert_eq!(row["client_id"], "difyctl");
    assert_eq!(row["device_label"], label);
    assert_eq!(row["prefix"], "dfoa_");
    assert_eq!(row["token_hash"], sha256_hex(token.as_bytes()));
    assert!(row["last_used_at"].is_null() && row["revoked_at"].is_null(), "{row}");
    assert_eq!((moment(&row["expires_at"]) - moment(&row["created_at"])).num_seconds(), 14 * 86_400);
    assert_eq!(row.as_object().unwrap().len(), 12, "an unknown column");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_token_row_matches_rows_written_by_dify() {
    let Some(dify) = Dify::start().await else { return };
    let bearer = Bearer::sign_in_with(&dify, &dify.browser(ALICE_ID), "a new laptop").await;
    let row = dify.row("oauth_access_tokens", &bearer.token_id).await;
    assert_matches_row_of_dify(&row, &bearer.token, "a new laptop");
    let age = dify.clock.now() - moment(&row["created_at"]);
    assert!((0..60).contains(&age.num_seconds()), "in UTC: {age}");
    let of_dify = dify.row("oauth_access_tokens", "01a1fb55-b0cf-77f2-a50a-d904e3e4de53").await;
    let shape = |row: &Value| -> Vec<_> {
        row.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.is_null())).collect()
    };
    assert_eq!(shape(&row), shape(&of_dify), "the same columns are null");
}

#[tokio::test(flavor = "multi_thread")]
async fn second_sign_in_rotates_the_row_of_dify_in_place() {
    let Some(dify) = Dify::start().await else { return };
    let old = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    assert_eq!(old.get(ACCOUNT).await.0, 200);
    dify.running().app.jobs().flush_last_used().await.unwrap();
    let before = count(&dify, "oauth_access_tokens").await;
    let new = Bearer::sign_in_with(&dify, &dify.browser(ALICE_ID), "laptop").await;
    assert_eq!(new.token_id, old.token_id);
    assert_eq!(count(&dify, "oauth_access_tokens").await, before);
    assert_matches_row_of_dify(&dify.row("oauth_access_tokens", &new.token_id).await, &new.token, "laptop");
    assert_eq!(old.get(ACCOUNT).await.1["code"], "bearer_invalid", "the cached token ends at once");
    assert_eq!(new.get(ACCOUNT).await.0, 200);
    // A row of the dump whose token is unknown to this service.
    let golden = Bearer::sign_in_with(&dify, &dify.browser(ALICE_ID), "golden-main").await;
    assert_eq!(golden.token_id, "01a1fb55-b0cf-77f2-a50a-d904e3e4de53");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_row_of_dify_stays_unchanged() {
    let Some(dify) = Dify::start().await else { return };
    let revoked = "01a1fb55-b230-7ecd-b5d2-75a4fe83212c";
    let before = dify.row("oauth_access_tokens", revoked).await;
    let bearer = Bearer::sign_in_with(&dify, &dify.browser(ALICE_ID), "to-revoke").await;
    assert_ne!(bearer.token_id, revoked);
    assert_eq!(dify.row("oauth_access_tokens", revoked).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_rotated_by_dify_shows_the_prefix_of_dify() {
    let Some(dify) = Dify::start().await else { return };
    let ours = Bearer::sign_in_with(&dify, &dify.browser(ALICE_ID), "laptop").await;
    let listed = |body: &Value| {
        let all = body["data"].as_array().unwrap();
        all.iter().find(|one| one["id"] == json!(ours.token_id)).map(|one| one["prefix"].clone()).unwrap()
    };
    assert_eq!(listed(&ours.get(SESSIONS).await.1), ours.token[..9]);
    // Dify's own statement, which updates the live row through its unique index.
    let theirs = format!("dfoa_{}", "d".repeat(43));
    let rotate = format!(
        "INSERT INTO oauth_access_tokens (subject_email, subject_issuer, account_id, client_id, device_label, prefix, \
         token_hash, expires_at) VALUES ('{ALICE}', 'dify:account', '{ALICE_ID}', 'difyctl', 'laptop', 'dfoa_', '{}', \
         now() + interval '14 days') ON CONFLICT (subject_email, subject_issuer, client_id, device_label) WHERE \
         revoked_at IS NULL DO UPDATE SET token_hash = excluded.token_hash, prefix = excluded.prefix, account_id = \
         excluded.account_id, expires_at = excluded.expires_at, created_at = now(), last_used_at = NULL \
         RETURNING id::text",
        sha256_hex(theirs.as_bytes())
    );
    assert_eq!(text(&dify, &rotate).await.unwrap(), ours.token_id);
    let theirs = Bearer::with_token(&dify, &theirs, &ours.token_id);
    let (status, body) = theirs.get(SESSIONS).await;
    assert_eq!((status, listed(&body)), (200, json!("dfoa_")), "the prefix of the old token is not shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_sign_ins_leave_one_live_row() {
    let Some(dify) = Dify::start_with(&[("OPENAPI_RATE_LIMITS", "approve=0,device_code=0,user_code=0")]).await else {
        return;
    };
    let browser = dify.browser(ALICE_ID);
    let devices = join_all((0..8).map(|_| Device::start(&dify, "golden-main"))).await;
    let approvals = devices.iter().map(|device| browser.approve(&device.user_code));
    assert!(join_all(approvals).await.iter().all(|(status, _)| *status == 200));
    let live = "oauth_access_tokens WHERE device_label = 'golden-main' AND revoked_at IS NULL";
    assert_eq!(count(&dify, live).await, 1);
    execute(&dify, "UPDATE oauth_access_tokens SET revoked_at = now() WHERE device_label = 'golden-main'").await;
    assert_eq!(Bearer::sign_in_with(&dify, &browser, "golden-main").await.get(ACCOUNT).await.0, 200);
}
