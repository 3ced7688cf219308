//! Apps stored by Dify's editor are listed, found and described.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Dify,
    database::execute,
    dify::{ALICE, ALICE_ID, BOB, BOB_ID},
};

/// The workspace "Acme Inc.": Alice is the owner, Bob is no member.
const ACME: &str = "f2adae0a-61c6-5c97-8b64-3778e6596247";
/// The workspace "Beta Labs": Bob is the owner, Alice is a member.
const BETA: &str = "cdd8f333-9900-55ff-907d-fb10149a61ed";

async fn get(bearer: &Bearer, rest: &str) -> Answer {
    Answer::to(bearer.request(Method::GET, &format!("/openapi/v1/apps{rest}"))).await
}

async fn names(bearer: &Bearer, query: &str) -> Vec<String> {
    let answer = get(bearer, &format!("?workspace_id={query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let body = answer.json();
    let rows = body["data"].as_array().unwrap();
    assert!(body["total"].as_u64().unwrap() >= rows.len() as u64);
    rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_stored_by_dify_are_listed_and_filtered() {
    let Some(dify) = Dify::start_with(&[("OPENAPI_RATE_LIMITS", "token=0")]).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let all = get(&alice, &format!("?workspace_id={ACME}&limit=200")).await.json();
    insta::assert_json_snapshot!("apps_stored_by_dify", all);
    for (query, expected) in [
        ("name=%25", &["100%_real app"][..]),
        ("name=_", &["100%_real app"]),
        ("name=fLOW+chat", &["Flow Chat", "Flow Chat Template", "Flow Chat Unpublished"]),
        ("name=0166ad56-f937-57d6-873f-1f700d7a7b49", &[]),
        ("name=Disabled", &[]),
        ("tag=prod", &["Echo Workflow", "Support Bot", "Translator"]),
        ("tag=empty", &[]),
        ("mode=agent-chat", &["Agent Smith"]),
        ("mode=rag-pipeline", &[]),
        ("mode=completion&tag=prod", &["Translator"]),
    ] {
        let mut found = names(&alice, &format!("{ACME}&limit=200&{query}")).await;
        found.sort_unstable();
        assert_eq!(found, expected, "{query}");
    }
    assert_eq!(names(&alice, &format!("{BETA}&name=0166ad56-f937-57d6-873f-1f700d7a7b49")).await, ["Bulk 119"]);
    let beta = get(&alice, &format!("?workspace_id={BETA}&page=2&limit=100")).await.json();
    assert_eq!((&beta["total"], beta["data"].as_array().unwrap().len()), (&json!(121), 21));
    let bob = dify.issue_token(BOB_ID, BOB, "laptop").await;
    assert_eq!(
        get(&bob, &format!("?workspace_id={ACME}")).await.outcome(),
        (403, "workspace_membership_revoked".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_app_stored_by_dify_is_described() {
    let Some(dify) = Dify::start_with(&[("OPENAPI_RATE_LIMITS", "token=0")]).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let all = get(&alice, &format!("?workspace_id={ACME}&limit=200")).await.json();
    let mut described = BTreeMap::new();
    for row in all["data"].as_array().unwrap() {
        let id = row["id"].as_str().unwrap();
        let answer = get(&alice, &format!("/{id}/describe")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let named = get(&alice, &format!("/{id}/describe?workspace_id={ACME}")).await;
        assert_eq!(named.text, answer.text);
        described
            .insert(format!("{} ({})", row["name"].as_str().unwrap(), row["mode"].as_str().unwrap()), answer.json());
    }
    assert!(described.len() > 20);
    insta::assert_json_snapshot!("descriptions_of_apps_stored_by_dify", described);
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_stored_by_dify_are_found_by_name_unless_disabled() {
    let Some(dify) = Dify::start_with(&[("OPENAPI_RATE_LIMITS", "token=0")]).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let describe = async |name: &str| get(&alice, &format!("/{name}/describe?workspace_id={ACME}&fields=info")).await;
    assert_eq!(describe("100%25_real%20app").await.json()["info"]["name"], "100%_real app");
    let twins = describe("Twin").await;
    assert_eq!(twins.outcome(), (409, "ambiguous_app_name".to_owned()));
    assert_eq!(twins.json()["details"].as_array().map(Vec::len), Some(2));
    for name in ["Disabled%20Chat", "Disabled%20Workflow", "Gamma%20Secret", "support%20bot"] {
        assert_eq!(describe(name).await.outcome(), (404, "not_found".to_owned()), "{name}");
    }
    let pipeline = describe("Rag%20Pipe").await.json();
    assert_eq!(pipeline["info"]["mode"], "rag-pipeline");
}

#[tokio::test(flavor = "multi_thread")]
async fn membership_is_written_to_the_shared_token_cache_entry() {
    let Some(dify) = Dify::start_with(&[("OPENAPI_RATE_LIMITS", "token=0")]).await else { return };
    let mut cache = super::cache::Cache::of(&dify).await;
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let list = async |workspace: &str| get(&alice, &format!("?workspace_id={workspace}")).await.status;
    let verdicts = async |cache: &mut super::cache::Cache| -> Value {
        let entry: Value = serde_json::from_str(&cache.get(&alice.token).await.unwrap()).unwrap();
        entry["verified_tenants"].clone()
    };
    for _ in 0..3 {
        assert_eq!(list(ACME).await, 200);
        assert_eq!(list("00000000-0000-0000-0000-000000000001").await, 403);
    }
    assert_eq!(verdicts(&mut cache).await, json!({ACME: true}), "workspaces that were not joined are not noted");
    assert_eq!(list(BETA).await, 200);
    assert_eq!(verdicts(&mut cache).await, json!({ACME: true, BETA: true}));
    assert!(cache.ttl(&alice.token).await <= 60);
    let left = format!("DELETE FROM tenant_account_joins WHERE tenant_id = '{BETA}' AND account_id = '{ALICE_ID}'");
    assert_eq!(execute(&dify, &left).await, 1);
    assert_eq!(list(BETA).await, 403, "the entry is not trusted");
    assert_eq!(verdicts(&mut cache).await, json!({ACME: true, BETA: false}), "the entry is updated for Dify");
}
