//! `GET` and `DELETE /openapi/v1/account/sessions`.

use reqwest::Method;
use serde_json::Value;

use crate::support::{
    Answer, Bearer, Browser, Stores, TestServer, database,
    server::{MEMBER, OWNER},
};

const SESSIONS: &str = "/openapi/v1/account/sessions";

fn labels(body: &Value) -> Vec<&str> {
    body["data"].as_array().unwrap().iter().map(|row| row["device_label"].as_str().unwrap()).collect()
}

on_every_database!(
    sessions_are_listed_newest_first,
    pages_follow_page_and_limit,
    invalid_query_parameters_return_422,
    only_active_sessions_of_the_subject_are_listed,
    external_identity_sees_sessions_of_its_email_and_issuer,
    revoked_session_rejects_its_token_at_once,
    token_is_invalid_after_revoking_its_own_session,
    revoke_does_not_end_other_accounts_sessions,
    times_are_whole_seconds_in_utc_and_the_lifetime_is_configurable
);

async fn sessions_are_listed_newest_first(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let first = Bearer::sign_in_with(&server, &browser, "laptop").await;
    server.advance(2);
    let second = Bearer::sign_in_with(&server, &browser, "phone").await;
    let answer = Answer::to(first.request(Method::GET, SESSIONS)).await;
    let body = answer.json();
    assert_eq!(labels(&body), ["phone", "laptop"]);
    for (row, bearer) in body["data"].as_array().unwrap().iter().zip([&second, &first]) {
        assert_eq!(row["id"], bearer.token_id);
        assert_eq!(row["prefix"], bearer.token[..9]);
    }
    assert_wire!(answer.redacted(), @r#"
    {
      "data": [
        {
          "client_id": "difyctl",
          "created_at": "[time]",
          "device_label": "phone",
          "expires_at": "[time]",
          "id": "[uuid]",
          "last_used_at": null,
          "prefix": "[prefix]"
        },
        {
          "client_id": "difyctl",
          "created_at": "[time]",
          "device_label": "laptop",
          "expires_at": "[time]",
          "id": "[uuid]",
          "last_used_at": null,
          "prefix": "[prefix]"
        }
      ],
      "has_more": false,
      "limit": 100,
      "page": 1,
      "total": 2
    }
    "#);
}

async fn pages_follow_page_and_limit(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let mut bearer = Bearer::sign_in_with(&server, &browser, "0").await;
    for label in ["1", "2", "3", "4"] {
        server.advance(1);
        bearer = Bearer::sign_in_with(&server, &browser, label).await;
    }
    for (query, expected, has_more) in [
        ("limit=2", vec!["4", "3"], true),
        ("page=2&limit=2", vec!["2", "1"], true),
        ("page=3&limit=2", vec!["0"], false),
        ("page=4&limit=2", vec![], false),
        ("limit=5", vec!["4", "3", "2", "1", "0"], false),
        ("page=2147483647&limit=200", vec![], false),
    ] {
        let (status, body) = bearer.get(&format!("{SESSIONS}?{query}")).await;
        assert_eq!(
            (status, labels(&body), &body["has_more"], &body["total"]),
            (200, expected, &has_more.into(), &5.into()),
            "{query}"
        );
    }
}

async fn invalid_query_parameters_return_422(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for query in [
        "page=0",
        "page=-1",
        "page=x",
        "page=",
        "page=99999999999",
        "limit=0",
        "limit=201",
        "limit=1.5",
        "unknown=1",
        "page=1&page=1",
        "workspace_id=x",
    ] {
        let answer = Answer::to(bearer.request(Method::GET, &format!("{SESSIONS}?{query}"))).await;
        assert_eq!(answer.outcome(), (422, "invalid_param".to_owned()), "{query}");
        assert_eq!(answer.json()["details"][0]["loc"][0], "query", "{query}");
    }
    let answer = Answer::to(bearer.request(Method::GET, &format!("{SESSIONS}?limit=201"))).await;
    assert_wire!(answer.json(), @r#"
    {
      "code": "invalid_param",
      "details": [
        {
          "loc": [
            "query",
            "limit"
          ],
          "msg": "must be between 1 and 200",
          "type": "value_error"
        }
      ],
      "message": "limit: must be between 1 and 200",
      "status": 422
    }
    "#);
}

async fn only_active_sessions_of_the_subject_are_listed(stores: Stores) {
    let server = TestServer::start(stores).await;
    let account = database::account_id(&server, OWNER).await;
    let row = |label, expires_in, revoked| database::TokenRow {
        subject_type: dify_openapi::testing::domain::SubjectType::Account,
        account_id: Some(&account),
        email: OWNER,
        label,
        expires_in,
        revoked,
    };
    for (label, expires_in, revoked) in [("expired", -1, false), ("revoked", 3_600, true), ("by Dify", 3_600, false)] {
        database::insert_token(&server, &row(label, expires_in, revoked)).await;
    }
    database::external_token(&server, OWNER, "external").await;
    Bearer::sign_in(&server, MEMBER, "other").await;
    let (_, body) = Bearer::sign_in(&server, OWNER, "mine").await.get(SESSIONS).await;
    assert_eq!(labels(&body), ["mine", "by Dify"]);
    assert_eq!(body["data"][1]["prefix"], "dfoa_", "the prefix that Dify stores");
}

async fn external_identity_sees_sessions_of_its_email_and_issuer(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (token, id) = database::external_token(&server, "eve@idp.example", "one").await;
    let (_, other) = database::external_token(&server, "eve@idp.example", "two").await;
    let (_, elsewhere) = database::external_token(&server, "eve@idp.example", "elsewhere").await;
    database::execute(
        &server,
        &format!("UPDATE oauth_access_tokens SET subject_issuer = 'https://other.example' WHERE id = '{elsewhere}'"),
    )
    .await;
    let bearer = Bearer::with_token(&server, &token, &id);
    let (status, body) = bearer.get(SESSIONS).await;
    let mut found = labels(&body);
    found.sort_unstable();
    assert_eq!((status, found), (200, vec!["one", "two"]));
    assert_eq!(bearer.delete(&format!("{SESSIONS}/{elsewhere}")).await.0, 404);
    assert_eq!(bearer.delete(&format!("{SESSIONS}/{other}")).await.0, 200);
}

async fn revoked_session_rejects_its_token_at_once(stores: Stores) {
    let server = TestServer::start(stores).await;
    let logs = crate::support::logs::Logs::capture();
    let browser = Browser::signed_in(&server, OWNER).await;
    let keeper = Bearer::sign_in_with(&server, &browser, "keeper").await;
    let lost = Bearer::sign_in_with(&server, &browser, "lost").await;
    assert_eq!(lost.get("/openapi/v1/account").await.0, 200);
    let path = format!("{SESSIONS}/{}", lost.token_id);
    let (status, body) = keeper.delete(&path).await;
    assert_eq!((status, body), (200, serde_json::json!({"status": "revoked"})));
    assert_eq!(lost.get("/openapi/v1/account").await.1["code"], "bearer_invalid");
    let (status, body) = keeper.delete(&path).await;
    assert_eq!((status, body["code"].as_str()), (404, Some("not_found")), "revoked before");
    assert_eq!(labels(&keeper.get(SESSIONS).await.1), ["keeper"]);
    assert_eq!(logs.matching(&["audit", "oauth.session_revoked", &lost.token_id]).len(), 1);
}

async fn token_is_invalid_after_revoking_its_own_session(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (status, body) = bearer.delete(&format!("{SESSIONS}/self")).await;
    assert_eq!((status, body), (200, serde_json::json!({"status": "revoked"})));
    let (status, body) = bearer.delete(&format!("{SESSIONS}/self")).await;
    assert_eq!((status, body["code"].as_str()), (401, Some("bearer_invalid")));
}

async fn revoke_does_not_end_other_accounts_sessions(stores: Stores) {
    let server = TestServer::start(stores).await;
    let owner = Bearer::sign_in(&server, OWNER, "laptop").await;
    let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let (_, external) = database::external_token(&server, MEMBER, "laptop").await;
    let upper = owner.token_id.to_uppercase().replace('-', "");
    for id in
        [&owner.token_id, &external, "00000000-0000-0000-0000-000000000000", "no-uuid", &upper, "%00", "%ff", "self%20"]
    {
        let (status, body) = member.delete(&format!("{SESSIONS}/{id}")).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("not_found")), "{id}");
    }
    assert_eq!(owner.get("/openapi/v1/account").await.0, 200);
    assert_eq!(database::count(&server, "oauth_access_tokens WHERE revoked_at IS NULL").await, 3);
}

async fn times_are_whole_seconds_in_utc_and_the_lifetime_is_configurable(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OAUTH_TTL_DAYS", "3")]).await;
    let (_, body) = Bearer::sign_in(&server, OWNER, "laptop").await.get(SESSIONS).await;
    let time = |member: &str| {
        let text = body["data"][0][member].as_str().unwrap();
        assert!(text.len() == 20 && text.ends_with('Z'), "{text}");
        chrono::DateTime::parse_from_rfc3339(text).unwrap()
    };
    assert_eq!((time("expires_at") - time("created_at")).num_seconds(), 3 * 86_400);
}
