//! API keys, names, sharing, defaults and deletion.

use super::*;

on_both_stores!(
    api_key_is_added_masked_changed_and_deleted,
    shared_connection_is_used_and_not_changed_by_members,
    default_of_an_account_is_chosen_for_it,
    deleted_connection_is_revoked_at_the_provider
);

async fn api_key_is_added_masked_changed_and_deleted(stores: Stores) {
    let server = ConnectionServer::bare(stores).await;
    let logs = crate::support::logs::Logs::capture();
    let member = server.browser(MEMBER).await;
    let (_, schema) = member.get(&provider_path("credential/schema/api-key")).await;
    assert_eq!(schema["schema"][0]["name"], "api_key");
    let add = json!({"credentials": {"api_key": "key-of-the-tests"}, "name": "Mine", "type": "api-key"});
    assert_eq!(member.post(&provider_path("add"), &add).await.0, 200);
    assert_eq!(member.post(&provider_path("add"), &add).await.1["code"], "already_exists");
    for faulty in [
        json!({}),
        json!({"credentials": {}}),
        json!({"credentials": {"api_key": 5}}),
        json!({"credentials": {"api_key": "k"}, "name": "n".repeat(31)}),
        json!({"credentials": {"api_key": "k"}, "visibility": "everyone"}),
        json!({"credentials": {"api_key": "k"}, "type": "oauth2"}),
    ] {
        let status = member.post(&provider_path("add"), &faulty).await.0;
        assert!(matches!(status, 400 | 422), "{faulty}: {status}");
    }
    let (_, info) = member.get(&provider_path("credential/info")).await;
    assert_eq!(info["supported_credential_types"], json!(["api-key", "oauth2"]));
    let credential = &info["credentials"][0];
    assert_eq!(credential["credentials"], json!({"api_key": "ke********ts"}));
    assert_eq!((&credential["expires_at"], &credential["name"]), (&json!(-1), &json!("Mine")));
    let id = credential["id"].as_str().unwrap();
    let update = json!({"credential_id": id, "name": "Ours", "credentials": {"api_key": "[__HIDDEN__]"}});
    assert_eq!(member.post(&provider_path("update"), &update).await.0, 200);
    assert_eq!(member.post(&provider_path("default-credential"), &json!({"id": id})).await.0, 200);
    let id_field = format!("connection_id={id}");
    for parts in [
        &["connection.authorized", "again=false"][..],
        &["connection.changed", "renamed=true", "values_replaced=true"],
        &["connection.default_changed"],
    ] {
        let events = logs.matching(&[&["INFO audit", &id_field], parts].concat());
        assert_eq!(events.len(), 1, "{parts:?}: {events:?}");
    }
    let workspace = server.workspace().await;
    let body = json!({"tenant_id": workspace, "provider": PROVIDER, "credential_id": id});
    let read = server.service("credentials", &body).await.json();
    assert_eq!(read["values"], json!({"api_key": "key-of-the-tests"}));
    assert_eq!(read["credential_type"], "api-key");
    // A tool that saw 401 marks it, and entering another key mends it.
    let reported = server.service("report-invalid", &body).await;
    assert_eq!(reported.outcome(), (409, "reauthorization_required".to_owned()));
    assert_eq!(member.credentials().await[0]["reason"], "rejected");
    let update = json!({"credential_id": id, "credentials": {"api_key": "another key"}});
    assert_eq!(member.post(&provider_path("update"), &update).await.0, 200);
    assert_eq!(server.service("credentials", &body).await.json()["values"], json!({"api_key": "another key"}));
    assert_eq!(member.post(&provider_path("delete"), &json!({"credential_id": id})).await.0, 200);
    assert_eq!(member.post(&provider_path("delete"), &json!({"credential_id": id})).await.0, 404);
    assert_eq!(server.service("credentials", &body).await.outcome(), (404, "not_found".to_owned()));
}

async fn shared_connection_is_used_and_not_changed_by_members(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let (member, mut admin) = (server.browser(MEMBER).await, server.browser(OWNER).await);
    let id = admin.connect().await;
    let share = json!({"credential_id": id, "visibility": "all_team_members"});
    assert_eq!(admin.post(&provider_path("update"), &share).await.0, 200);
    let seen = member.credentials().await;
    assert_eq!((seen.len(), seen[0]["visibility"].as_str()), (1, Some("all_team_members")));
    assert_eq!(member.post(&provider_path("update"), &json!({"credential_id": id, "name": "Mine"})).await.0, 403);
    assert_eq!(member.post(&provider_path("delete"), &json!({"credential_id": id})).await.0, 403);
    let (_, profile) = member.get("/console/api/account/profile").await;
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "account_id": profile["id"]});
    assert_eq!(server.service("credentials", &body).await.json()["credential_id"], id);
}

async fn default_of_an_account_is_chosen_for_it(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let (one, two) = (member.connect().await, member.connect().await);
    let (_, profile) = member.get("/console/api/account/profile").await;
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "account_id": profile["id"]});
    assert_eq!(server.service("credentials", &body).await.json()["credential_id"], one);
    assert_eq!(member.post(&provider_path("default-credential"), &json!({"id": two})).await.0, 200);
    assert_eq!(server.service("credentials", &body).await.json()["credential_id"], two);
    let listed = server.service("list", &json!({"tenant_id": body["tenant_id"]})).await.json();
    let defaults: Vec<_> = listed["connections"].as_array().unwrap().iter().map(|one| &one["is_default"]).collect();
    assert_eq!(defaults, [&json!(false), &json!(true)]);
    assert!(!listed.to_string().contains("access-"), "a list has no values");
}

async fn deleted_connection_is_revoked_at_the_provider(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut member = server.browser(MEMBER).await;
    let id = member.connect().await;
    assert_eq!(member.post(&provider_path("delete"), &json!({"credential_id": id})).await.0, 200);
    let revoked = server.provider.revoked();
    assert_eq!(revoked.len(), 1);
    assert!(revoked[0].starts_with("refresh-1-"), "the refresh token ends what was issued for it");
}
