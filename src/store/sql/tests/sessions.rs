//! Lists, revocation, last use and retention.

use futures_util::future::join_all;

use super::*;
use crate::domain::{
    page::PageRequest,
    session::{RevokeSelection, Session},
};

conformance!(
    sessions_are_listed_newest_first_in_pages,
    list_sessions_reports_a_banned_or_unknown_account,
    list_has_only_live_sessions_of_the_subject,
    session_that_dify_rotated_shows_the_bare_prefix,
    sessions_of_other_subjects_are_not_revoked,
    subjects_with_similar_names_are_different,
    concurrent_revocations_return_the_hash_once,
    revoke_all_spares_the_excepted_session,
    revoke_by_hash_ends_the_token,
    revoke_selected_ends_the_selected_sessions,
    last_use_is_written_in_batches,
    name_of_a_session_is_shown_and_survives_a_new_sign_in,
    retention_deletes_ended_sessions_only,
);

fn page(page: i32, limit: i32) -> PageRequest {
    PageRequest::new(Some(page), Some(limit), 20).unwrap()
}

async fn listed(sql: &SqlStore, subject: &Subject, at: DateTime<Utc>) -> Vec<Session> {
    sql.list_sessions(subject, page(1, 200), at).await.unwrap().1.data
}

async fn sessions_are_listed_newest_first_in_pages(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    for number in 0..5 {
        sql.mint(&new_session(&alice, &format!("device {number}"), later(number / 2))).await.unwrap();
    }
    let all = listed(&sql, &alice, later(10)).await;
    assert!(all.is_sorted_by_key(|session| (std::cmp::Reverse(session.created_at), session.id)));
    let (active, second) = sql.list_sessions(&alice, page(2, 2), later(10)).await.unwrap();
    assert!(active && second.has_more());
    assert_eq!(second.total, 5);
    let ids: Vec<_> = second.data.iter().map(|session| session.id).collect();
    assert_eq!(ids, [all[2].id, all[3].id]);
    let (_, beyond) = sql.list_sessions(&alice, page(9, 2), later(10)).await.unwrap();
    assert_eq!((beyond.total, beyond.data.len()), (5, 0));
}

async fn list_sessions_reports_a_banned_or_unknown_account(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    execute(&sql, "UPDATE accounts SET status = 'banned'").await;
    assert!(!sql.list_sessions(&alice, page(1, 2), start()).await.unwrap().0);
    let unknown = Subject::Account { id: AccountId(Uuid::new_v4()), email: String::new() };
    assert!(!sql.list_sessions(&unknown, page(1, 2), start()).await.unwrap().0);
    let eve = external("eve@idp.example", "https://idp.example");
    assert!(sql.list_sessions(&eve, page(1, 2), start()).await.unwrap().0);
}

async fn list_has_only_live_sessions_of_the_subject(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let bob = create_account(&sql, "bob@example.com").await;
    let eve = external("alice@example.com", "https://idp.example");
    let mut over = new_session(&alice, "over", start());
    over.expires_at = later(5);
    sql.mint(&over).await.unwrap();
    let gone = sql.mint(&new_session(&alice, "gone", start())).await.unwrap().token_id;
    sql.revoke_session(&alice, gone, later(1)).await.unwrap().unwrap();
    for subject in [&alice, &bob, &eve] {
        sql.mint(&new_session(subject, "live", start())).await.unwrap();
    }
    for subject in [&alice, &bob, &eve] {
        let sessions = listed(&sql, subject, later(5)).await;
        assert_eq!(sessions.iter().map(|session| session.device_label.as_str()).collect::<Vec<_>>(), ["live"]);
    }
    assert!(listed(&sql, &external("alice@example.com", "https://other.example"), later(5)).await.is_empty());
    let of_alice = sql.list_all_sessions(Some("ALICE@example.com"), Some("difyctl"), 9, later(5)).await.unwrap();
    assert_eq!(of_alice.len(), 1);
    assert_eq!(sql.list_all_sessions(None, None, 2, later(5)).await.unwrap().len(), 2);
    assert!(sql.list_all_sessions(None, Some("other"), 9, later(5)).await.unwrap().is_empty());
}

async fn session_that_dify_rotated_shows_the_bare_prefix(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let new = new_session(&alice, "laptop", start());
    sql.mint(&new).await.unwrap();
    assert_eq!(listed(&sql, &alice, start()).await[0].prefix, new.display_prefix);
    let at = match sql.backend {
        sea_orm::DbBackend::Sqlite => "2026-03-01T12:00:09+00:00",
        sea_orm::DbBackend::MySql => "2026-03-01 12:00:09",
        _ => "2026-03-01 12:00:09Z",
    };
    execute(&sql, &format!("UPDATE oauth_access_tokens SET created_at = '{at}'")).await;
    assert_eq!(listed(&sql, &alice, later(10)).await[0].prefix, "dfoa_");
}

async fn sessions_of_other_subjects_are_not_revoked(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let bob = create_account(&sql, "bob@example.com").await;
    let eve = external("alice@example.com", "https://idp.example");
    let of_alice = sql.mint(&new_session(&alice, "laptop", start())).await.unwrap().token_id;
    let of_eve = sql.mint(&new_session(&eve, "laptop", start())).await.unwrap().token_id;
    let others = [bob, eve.clone(), external("alice@example.com", "https://other.example")];
    for subject in &others {
        assert!(sql.revoke_session(subject, of_alice, later(1)).await.unwrap().is_none());
    }
    for subject in [&others[0], &others[2], &alice] {
        assert!(sql.revoke_session(subject, of_eve, later(1)).await.unwrap().is_none());
    }
    assert!(sql.revoke_session(&alice, of_alice, later(1)).await.unwrap().is_some());
    assert!(sql.revoke_session(&alice, of_alice, later(2)).await.unwrap().is_none());
    assert!(sql.revoke_session(&eve, of_eve, later(1)).await.unwrap().is_some());
}

async fn subjects_with_similar_names_are_different(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let jose = external("jose@idp.example", "https://idp.example");
    let id = sql.mint(&new_session(&jose, "laptop", start())).await.unwrap().token_id;
    for (email, issuer) in [
        ("jos\u{e9}@idp.example", "https://idp.example"),
        ("JOSE@idp.example", "https://idp.example"),
        ("jose@idp.example", "https://IDP.example"),
        ("jose@idp.example ", "https://idp.example"),
    ] {
        let other = external(email, issuer);
        assert!(listed(&sql, &other, later(1)).await.is_empty(), "{email} at {issuer}");
        assert!(sql.revoke_session(&other, id, later(1)).await.unwrap().is_none(), "{email} at {issuer}");
        assert_ne!(sql.mint(&new_session(&other, "laptop", later(1))).await.unwrap().token_id, id);
    }
    for label in ["Laptop", "l\u{e1}ptop", "laptop ", "laptop \u{1f4bb}"] {
        assert_ne!(sql.mint(&new_session(&jose, label, later(1))).await.unwrap().token_id, id, "{label}");
    }
    assert_eq!(listed(&sql, &jose, later(1)).await.len(), 5);
}

async fn concurrent_revocations_return_the_hash_once(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    for round in 0..300 {
        let new = new_session(&alice, "laptop", later(round));
        let id = sql.mint(&new).await.unwrap().token_id;
        let revoked = join_all((0..4).map(|_| sql.revoke_session(&alice, id, later(round)))).await;
        let hashes: Vec<_> = revoked.into_iter().filter_map(|one| one.unwrap()).map(|one| one.hash).collect();
        assert!(hashes == [new.hash]);
    }
}

async fn revoke_all_spares_the_excepted_session(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let bob = create_account(&sql, "bob@example.com").await;
    let mut ids = Vec::new();
    for device in ["one", "two", "three"] {
        ids.push(sql.mint(&new_session(&alice, device, start())).await.unwrap().token_id);
        sql.mint(&new_session(&bob, device, start())).await.unwrap();
    }
    assert_eq!(sql.revoke_all_sessions(&alice, Some(ids[1]), later(1)).await.unwrap().len(), 2);
    assert_eq!(listed(&sql, &alice, later(1)).await.iter().map(|session| session.id).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!(sql.revoke_all_sessions(&alice, None, later(1)).await.unwrap().len(), 1);
    assert_eq!(listed(&sql, &bob, later(1)).await.len(), 3);
}

async fn revoke_by_hash_ends_the_token(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let new = new_session(&alice, "laptop", start());
    let id = sql.mint(&new).await.unwrap().token_id;
    let revoked = sql.revoke_by_hash(&new.hash, later(1)).await.unwrap().unwrap();
    assert!(revoked.token_id == id && revoked.hash == new.hash);
    assert!(sql.revoke_by_hash(&new.hash, later(1)).await.unwrap().is_none());
}

async fn revoke_selected_ends_the_selected_sessions(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let bob = create_account(&sql, "bob@example.com").await;
    let one = sql.mint(&new_session(&alice, "one", start())).await.unwrap().token_id;
    sql.mint(&new_session(&alice, "two", later(10))).await.unwrap();
    sql.mint(&new_session(&bob, "one", later(20))).await.unwrap();
    let mut other = new_session(&bob, "two", start());
    "other".clone_into(&mut other.client_id);
    sql.mint(&other).await.unwrap();
    let revoke = async |selection| sql.revoke_selected(&selection, later(30)).await.unwrap().len();
    assert_eq!(revoke(RevokeSelection::Id(one)).await, 1);
    assert_eq!(revoke(RevokeSelection::Since(later(20))).await, 1);
    assert_eq!(revoke(RevokeSelection::Account("Alice@Example.com".to_owned())).await, 1);
    assert_eq!(revoke(RevokeSelection::Client("other".to_owned())).await, 1);
    assert_eq!(revoke(RevokeSelection::Since(start())).await, 0);

    // Ended sessions exist, too.
    let exists = async |selection| sql.selection_exists(&selection).await.unwrap();
    assert!(exists(RevokeSelection::Id(one)).await && exists(RevokeSelection::Since(later(40))).await);
    assert!(!exists(RevokeSelection::Id(crate::domain::id::TokenId(Uuid::new_v4()))).await);
    for (email, is_known) in [("Alice@Example.com", true), ("alicia@example.com", false)] {
        assert_eq!(exists(RevokeSelection::Account(email.to_owned())).await, is_known, "{email}");
    }
    for (client, is_known) in [("other", true), ("Other", false), ("difyclt", false)] {
        assert_eq!(exists(RevokeSelection::Client(client.to_owned())).await, is_known, "{client}");
    }
}

async fn last_use_is_written_in_batches(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let mut seen = Vec::new();
    for number in 0..40 {
        let id = sql.mint(&new_session(&alice, &format!("device {number}"), start())).await.unwrap().token_id;
        seen.push((id, last_use(number)));
    }
    // More than one batch, mostly of unknown sessions.
    seen.extend((0..1000).map(|_| (crate::domain::id::TokenId(Uuid::new_v4()), last_use(0))));
    sql.touch_sessions(&seen).await.unwrap();
    for session in listed(&sql, &alice, later(50)).await {
        let (_, LastUse { at, origin }) = seen.iter().find(|(id, _)| *id == session.id).unwrap();
        assert_eq!(session.last_used_at, Some(*at));
        assert_eq!(session.last_ip, Some(origin.address.to_string()));
        assert_eq!(session.last_user_agent, origin.user_agent);
    }
    // The next use is from elsewhere, with a program that has no name.
    let (id, mut elsewhere) = seen[3].clone();
    elsewhere.origin = RequestOrigin::new(ClientAddress("::ffff:192.0.2.7".parse().unwrap()), None);
    sql.touch_sessions(&[(id, elsewhere)]).await.unwrap();
    let session = sql.find_session(&alice, id, later(50)).await.unwrap().unwrap();
    assert_eq!((session.last_ip.as_deref(), session.last_user_agent), (Some("192.0.2.7"), None));
    // Dify rotates the token: the row is no longer the session's.
    execute(&sql, "UPDATE oauth_access_tokens SET created_at = '2030-01-01 00:00:00'").await;
    let session = sql.find_session(&alice, id, later(50)).await.unwrap().unwrap();
    assert_eq!((session.last_ip, session.last_used_at.is_some()), (None, true));
    sql.touch_sessions(&[]).await.unwrap();
}

async fn retention_deletes_ended_sessions_only(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    for number in 0..7 {
        let mut over = new_session(&alice, &format!("over {number}"), start());
        over.expires_at = later(10);
        sql.mint(&over).await.unwrap();
    }
    let revoked = sql.mint(&new_session(&alice, "revoked", start())).await.unwrap().token_id;
    sql.revoke_session(&alice, revoked, later(10)).await.unwrap().unwrap();
    sql.mint(&new_session(&alice, "live", start())).await.unwrap();
    let lately = sql.mint(&new_session(&alice, "revoked lately", start())).await.unwrap().token_id;
    sql.revoke_session(&alice, lately, later(100)).await.unwrap().unwrap();
    assert_eq!(sql.delete_ended_sessions(later(10), 3).await.unwrap(), 0);
    assert_eq!(sql.delete_ended_sessions(later(50), 3).await.unwrap(), 8);
    assert_eq!(count(&sql, "oauth_access_tokens").await, 2);
    assert_eq!(count(&sql, "openapi_sessions").await, 2);
    execute(&sql, "DELETE FROM oauth_access_tokens").await;
    assert_eq!(sql.delete_ended_sessions(later(50), 1).await.unwrap(), 0);
    assert_eq!(count(&sql, "openapi_sessions").await, 0);
}

async fn name_of_a_session_is_shown_and_survives_a_new_sign_in(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let bob = create_account(&sql, "bob@example.com").await;
    let id = sql.mint(&new_session(&alice, "build-box", start())).await.unwrap().token_id;
    let shown = async || sql.find_session(&alice, id, later(3)).await.unwrap().unwrap().device_label;
    assert_eq!(shown().await, "build-box");
    assert!(!sql.name_session(&bob, id, "taken", later(1)).await.unwrap(), "of another account");
    for name in ["Ada's build machine", "Ada's build machine", "box 2"] {
        assert!(sql.name_session(&alice, id, name, later(1)).await.unwrap());
        assert_eq!(shown().await, name);
    }
    // The label decides which session a new sign-in of the device replaces.
    assert_eq!(sql.mint(&new_session(&alice, "build-box", later(2))).await.unwrap().token_id, id);
    assert_eq!(shown().await, "box 2");
    // A row of Dify's has no details.
    execute(&sql, "DELETE FROM openapi_sessions").await;
    assert!(sql.name_session(&alice, id, "of Dify", later(3)).await.unwrap());
    assert_eq!(shown().await, "of Dify");
    let session = sql.find_session(&alice, id, later(3)).await.unwrap().unwrap();
    assert_eq!((session.prefix.as_str(), session.created_ip, session.user_agent), ("dfoa_", None, None));
    sql.revoke_session(&alice, id, later(4)).await.unwrap().unwrap();
    assert!(!sql.name_session(&alice, id, "too late", later(4)).await.unwrap());
}
