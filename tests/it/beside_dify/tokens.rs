//! Tokens that Dify issued.

use reqwest::Method;

use crate::support::{
    Answer, Bearer, Dify,
    database::{self, execute},
    dify::{ALICE, ALICE_ID, BOB, BOB_ID},
};

const ACCOUNT: &str = "/openapi/v1/account";
const SESSIONS: &str = "/openapi/v1/account/sessions";

/// The labels of Alice's active sessions in the dump, newest first.
const LIVE: [&str; 10] = [
    "bench",
    "trace6",
    "trace",
    "rotate",
    "golden-main",
    "difyctl on host",
    "nocsrf4",
    "nocsrf3",
    "nocsrf2",
    "nocsrf1",
];

#[tokio::test(flavor = "multi_thread")]
async fn token_issued_by_dify_is_accepted() {
    let Some(dify) = Dify::start().await else { return };
    let bearer = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let (status, body) = bearer.get(ACCOUNT).await;
    assert_eq!(status, 200, "{body}");
    insta::assert_json_snapshot!(body, @r#"
    {
      "subject_type": "account",
      "subject_email": "alice@example.com",
      "subject_issuer": null,
      "account": {
        "id": "43f8d6b6-4f80-5344-8182-b81bc18f6743",
        "email": "alice@example.com",
        "name": "Alice Ref"
      },
      "workspaces": [
        {
          "id": "f2adae0a-61c6-5c97-8b64-3778e6596247",
          "name": "Acme Inc.",
          "role": "owner"
        },
        {
          "id": "cdd8f333-9900-55ff-907d-fb10149a61ed",
          "name": "Beta Labs",
          "role": "normal"
        }
      ],
      "default_workspace_id": "f2adae0a-61c6-5c97-8b64-3778e6596247"
    }
    "#);
    let (status, body) = bearer.get("/openapi/v1/workspaces").await;
    assert_eq!(status, 200, "{body}");
    insta::assert_json_snapshot!(body, @r#"
    {
      "workspaces": [
        {
          "id": "f2adae0a-61c6-5c97-8b64-3778e6596247",
          "name": "Acme Inc.",
          "role": "owner",
          "status": "normal",
          "current": true
        },
        {
          "id": "cdd8f333-9900-55ff-907d-fb10149a61ed",
          "name": "Beta Labs",
          "role": "normal",
          "status": "normal",
          "current": false
        }
      ],
      "page": 1,
      "limit": 100,
      "total": 2,
      "has_more": false,
      "data": [
        {
          "id": "f2adae0a-61c6-5c97-8b64-3778e6596247",
          "name": "Acme Inc.",
          "role": "owner",
          "status": "normal",
          "current": true
        },
        {
          "id": "cdd8f333-9900-55ff-907d-fb10149a61ed",
          "name": "Beta Labs",
          "role": "normal",
          "status": "normal",
          "current": false
        }
      ]
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_dify_are_listed_and_revoked() {
    let Some(dify) = Dify::start().await else { return };
    let bearer = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let (status, body) = bearer.get(SESSIONS).await;
    let listed = body["data"].as_array().unwrap();
    // The row of this test is two minutes old, so its place in the list depends on the date.
    let labels = listed.iter().map(|one| one["device_label"].as_str().unwrap()).filter(|label| *label != "laptop");
    assert_eq!((status, labels.collect::<Vec<_>>()), (200, LIVE.to_vec()));
    assert!(listed.iter().all(|one| one["prefix"] == "dfoa_" && one["client_id"] == "difyctl"), "{body}");

    let golden = listed.iter().find(|one| one["device_label"] == "golden-main").unwrap();
    let (id, created) = (golden["id"].as_str().unwrap(), golden["created_at"].as_str().unwrap());
    assert_eq!((id, created), ("01a1fb55-b0cf-77f2-a50a-d904e3e4de53", "2026-11-20T23:40:59Z"));
    assert_eq!(bearer.delete(&format!("{SESSIONS}/{id}")).await.0, 200);
    assert_eq!(bearer.delete(&format!("{SESSIONS}/{id}")).await.0, 404, "twice");
    let row = dify.row("oauth_access_tokens", id).await;
    assert!(row["token_hash"].is_null() && row["revoked_at"].is_string(), "{row}");
    let of_bob = database::text(&dify, "SELECT id::text FROM oauth_access_tokens WHERE device_label = 'bob-laptop'");
    let of_bob = of_bob.await.unwrap();
    assert_eq!(bearer.delete(&format!("{SESSIONS}/{of_bob}")).await.0, 404, "of another account");
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_token_of_dify_is_revoked_on_first_use() {
    let Some(dify) = Dify::start().await else { return };
    let bearer = dify.issue_token_for(ALICE_ID, ALICE, "laptop", -1).await;
    let answer = Answer::to(bearer.request(Method::GET, ACCOUNT)).await;
    assert_eq!(answer.outcome(), (401, "bearer_expired".to_owned()));
    let row = dify.row("oauth_access_tokens", &bearer.token_id).await;
    assert!(row["token_hash"].is_null() && row["revoked_at"].is_string(), "{row}");
    assert_eq!(bearer.get(ACCOUNT).await.1["code"], "bearer_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn banned_and_deleted_accounts_of_dify_return_bearer_invalid() {
    let Some(dify) = Dify::start().await else { return };
    let (alice, bob) =
        (dify.issue_token(ALICE_ID, ALICE, "laptop").await, dify.issue_token(BOB_ID, BOB, "phone").await);
    // The tokens are cached, and Dify does not clear the cache when it bans an account.
    assert_eq!((alice.get(ACCOUNT).await.0, bob.get(ACCOUNT).await.0), (200, 200));
    execute(&dify, &format!("UPDATE accounts SET status = 'banned' WHERE id = '{ALICE_ID}'")).await;
    execute(&dify, &format!("DELETE FROM accounts WHERE id = '{BOB_ID}'")).await;
    for path in [ACCOUNT, SESSIONS, "/openapi/v1/workspaces"] {
        for bearer in [&alice, &bob] {
            assert_eq!(bearer.get(path).await.1["code"], "bearer_invalid", "{path}");
        }
    }
    execute(&dify, &format!("UPDATE accounts SET status = 'active' WHERE id = '{ALICE_ID}'")).await;
    assert_eq!(alice.get(ACCOUNT).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn last_use_of_a_token_of_dify_is_written() {
    let Some(dify) = Dify::start().await else { return };
    let bearer = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    assert_eq!(bearer.get(ACCOUNT).await.0, 200);
    dify.running().app.jobs().flush_last_used().await.unwrap();
    let row = dify.row("oauth_access_tokens", &bearer.token_id).await;
    assert!(row["last_used_at"].is_string(), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_creates_a_token_for_an_account_of_dify() {
    let Some(dify) = Dify::start().await else { return };
    let created = dify.command(&["token", "create", "--account", ALICE, "--label", "ci", "-o", "json"], "");
    assert!(created.status.success(), "{created:?}");
    let created: serde_json::Value = serde_json::from_slice(&created.stdout).unwrap();
    let bearer = Bearer::with_token(&dify, created["token"].as_str().unwrap(), created["id"].as_str().unwrap());
    let (status, body) = bearer.get(ACCOUNT).await;
    assert_eq!((status, &body["account"]["id"]), (200, &ALICE_ID.into()), "{body}");
}
