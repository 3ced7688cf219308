//! Minting, confirming and undoing a mint.

use std::collections::HashSet;

use futures_util::future::join_all;

use super::*;
use crate::domain::{account::AccountStatus, error::Code, id::TokenId};

conformance!(
    minted_token_is_found_by_its_hash,
    second_mint_for_the_same_device_rotates_the_row,
    other_devices_clients_and_issuers_have_their_own_rows,
    banned_or_unknown_account_mints_nothing,
    concurrent_mints_leave_one_live_row,
    concurrent_external_mints_leave_one_live_row,
    ban_concurrent_with_mint_leaves_no_live_token,
    sessions_over_the_limit_are_revoked_least_recently_used_first,
    concurrent_mints_stay_within_the_session_limit,
    confirm_minted_returns_expiry_and_account,
    revoke_if_hash_spares_a_rotated_row,
    concurrent_revoke_if_hash_succeeds_once,
);

async fn minted_token_is_found_by_its_hash(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let new = new_session(&alice, "laptop", start());
    let minted = sql.mint(&new).await.unwrap();
    assert_eq!(minted.rotated, None);
    assert_eq!(minted.token_id.0.get_version_num(), 7);
    let row = sql.find_token(&new.hash).await.unwrap().unwrap();
    assert_eq!(row.token_id, minted.token_id);
    assert_eq!(row.account_id, alice.account_id());
    assert_eq!((row.prefix.as_str(), row.client_id.as_str()), ("dfoa_", "difyctl"));
    assert_eq!(row.subject_issuer.as_deref(), Some("dify:account"));
    assert_eq!(row.expires_at, new.expires_at);
    assert!(sql.find_token(&token(SubjectType::Account).hash()).await.unwrap().is_none());
}

async fn second_mint_for_the_same_device_rotates_the_row(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let (first, second) = (new_session(&alice, "laptop", start()), new_session(&alice, "laptop", later(60)));
    let before = sql.mint(&first).await.unwrap();
    sql.touch_sessions(&[(before.token_id, last_use(30))]).await.unwrap();
    let after = sql.mint(&second).await.unwrap();
    assert_eq!(after.token_id, before.token_id);
    assert_eq!(after.rotated, Some(first.hash.clone()));
    assert!(sql.find_token(&first.hash).await.unwrap().is_none());
    assert_eq!(sql.find_token(&second.hash).await.unwrap().unwrap().expires_at, second.expires_at);
    let listed = &sql.list_all_sessions(None, None, 10, later(60)).await.unwrap()[0].1;
    assert_eq!(listed.prefix, second.display_prefix);
    assert_eq!((listed.created_at, listed.last_used_at), (second.created_at, None));
    assert_eq!((&listed.last_ip, &listed.last_user_agent), (&None, &None));
    assert_eq!(count(&sql, "openapi_sessions").await, 1);
}

async fn other_devices_clients_and_issuers_have_their_own_rows(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let mut other_client = new_session(&alice, "laptop", start());
    "other".clone_into(&mut other_client.client_id);
    let sessions = [
        new_session(&alice, "laptop", start()),
        new_session(&alice, "desktop", start()),
        other_client,
        new_session(&external("alice@example.com", "https://idp.example"), "laptop", start()),
        new_session(&external("alice@example.com", "https://other.example"), "laptop", start()),
    ];
    let mut ids = HashSet::new();
    for session in &sessions {
        ids.insert(sql.mint(session).await.unwrap().token_id);
    }
    assert_eq!(ids.len(), sessions.len());
    let external = sql.find_token(&sessions[3].hash).await.unwrap().unwrap();
    assert_eq!((external.prefix.as_str(), external.account_id), ("dfoe_", None));
}

async fn banned_or_unknown_account_mints_nothing(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    sql.set_account_status("alice@example.com", AccountStatus::Banned, start()).await.unwrap();
    let refused = sql.mint(&new_session(&alice, "laptop", start())).await.unwrap_err();
    assert_eq!(refused.code(), Code::AccessDenied);
    let unknown = Subject::Account { id: AccountId(Uuid::new_v4()), email: "nobody@example.com".to_owned() };
    assert_eq!(sql.mint(&new_session(&unknown, "laptop", start())).await.unwrap_err().code(), Code::AccessDenied);
    assert_eq!(count(&sql, "oauth_access_tokens").await, 0);
}

async fn check_concurrent_mints(sql: &SqlStore, subject: &Subject) {
    for round in 0..8 {
        let device = format!("device {round}");
        let sessions: Vec<_> = (0..64).map(|_| new_session(subject, &device, later(round))).collect();
        let minted = join_all(sessions.iter().map(|session| sql.mint(session))).await;
        let minted: Vec<_> = minted.into_iter().map(|one| one.expect("every mint succeeds")).collect();
        assert_eq!(minted.iter().map(|one| one.token_id).collect::<HashSet<_>>().len(), 1);
        assert_eq!(minted.iter().filter(|one| one.rotated.is_none()).count(), 1);
        let mut live = 0;
        for session in &sessions {
            live += usize::from(sql.find_token(&session.hash).await.unwrap().is_some());
        }
        assert_eq!(live, 1);
        assert_eq!(count(sql, &format!("oauth_access_tokens WHERE device_label = '{device}'")).await, 1);
    }
}

async fn concurrent_mints_leave_one_live_row(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    check_concurrent_mints(&sql, &alice).await;
}

async fn concurrent_external_mints_leave_one_live_row(sql: SqlStore) {
    migrate_with_account(&sql).await;
    check_concurrent_mints(&sql, &external("eve@idp.example", "https://idp.example")).await;
}

async fn ban_concurrent_with_mint_leaves_no_live_token(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    for round in 0..100 {
        sql.set_account_status("alice@example.com", AccountStatus::Active, later(round)).await.unwrap();
        let session = new_session(&alice, "laptop", later(round));
        let (minted, revoked) = tokio::join!(
            sql.mint(&session),
            sql.set_account_status("alice@example.com", AccountStatus::Banned, later(round))
        );
        assert_eq!(minted.is_ok(), revoked.unwrap().len() == 1);
        assert_eq!(count(&sql, "oauth_access_tokens WHERE revoked_at IS NULL").await, 0);
    }
}

async fn sessions_over_the_limit_are_revoked_least_recently_used_first(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let bob = create_account(&sql, "bob@example.com").await;
    let mut others = vec![new_session(&bob, "laptop", start()), new_session(&alice, "laptop", start())];
    "other".clone_into(&mut others[1].client_id);
    for other in &others {
        sql.mint(other).await.unwrap();
    }
    let mut sessions = Vec::new();
    for number in 0..50 {
        let session = new_session(&alice, &format!("device {number}"), later(number));
        let minted = sql.mint(&session).await.unwrap();
        assert!(minted.evicted.is_empty(), "{number}");
        sessions.push((minted.token_id, session));
    }
    sql.touch_sessions(&[(sessions[0].0, last_use(100)), (sessions[2].0, last_use(101))]).await.unwrap();

    let next = |number: i64| new_session(&alice, &format!("next {number}"), later(200 + number));
    for (number, expected) in [(0, 1), (1, 3), (2, 4)] {
        let evicted = sql.mint(&next(number)).await.unwrap().evicted;
        let ids: Vec<_> = evicted.iter().map(|session| session.token_id).collect();
        assert_eq!(ids, [sessions[expected].0]);
        assert_eq!(evicted[0].hash, sessions[expected].1.hash);
        assert!(sql.find_token(&sessions[expected].1.hash).await.unwrap().is_none());
    }
    let rotated = sql.mint(&new_session(&alice, "device 49", later(300))).await.unwrap();
    assert!(rotated.rotated.is_some() && rotated.evicted.is_empty());
    assert!(sql.find_token(&sessions[0].1.hash).await.unwrap().is_some());
    for other in &others {
        assert!(sql.find_token(&other.hash).await.unwrap().is_some());
    }
    // Expired sessions do not count.
    let much_later = new_session(&alice, "much later", later(3 * 86_400));
    assert!(sql.mint(&much_later).await.unwrap().evicted.is_empty());
}

async fn concurrent_mints_stay_within_the_session_limit(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let sessions: Vec<_> = (0..70).map(|number| new_session(&alice, &format!("device {number}"), start())).collect();
    let minted = join_all(sessions.iter().map(|session| sql.mint(session))).await;
    let evicted: usize = minted.into_iter().map(|one| one.expect("every mint succeeds").evicted.len()).sum();
    assert_eq!(evicted, 20);
    assert_eq!(count(&sql, "oauth_access_tokens WHERE revoked_at IS NULL").await, 50);
}

async fn confirm_minted_returns_expiry_and_account(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    sql.create_workspace("One", "alice@example.com", start()).await.unwrap();
    let new = new_session(&alice, "laptop", start());
    let id = sql.mint(&new).await.unwrap().token_id;
    let (expires_at, view) = sql.confirm_minted(id, &new.hash, later(1)).await.unwrap().unwrap();
    assert_eq!(expires_at, new.expires_at);
    assert_eq!((view.account.email.as_str(), view.memberships.len()), ("alice@example.com", 1));
    assert!(sql.confirm_minted(id, &token(SubjectType::Account).hash(), later(1)).await.unwrap().is_none());
    assert!(sql.confirm_minted(TokenId(Uuid::new_v4()), &new.hash, later(1)).await.unwrap().is_none());
    assert!(sql.confirm_minted(id, &new.hash, new.expires_at).await.unwrap().is_none());
    assert!(sql.revoke_if_hash(id, &new.hash, later(2)).await.unwrap());
    assert!(sql.confirm_minted(id, &new.hash, later(3)).await.unwrap().is_none());
}

async fn revoke_if_hash_spares_a_rotated_row(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let (lost, next) = (new_session(&alice, "laptop", start()), new_session(&alice, "laptop", later(1)));
    let id = sql.mint(&lost).await.unwrap().token_id;
    sql.mint(&next).await.unwrap();
    assert!(!sql.revoke_if_hash(id, &lost.hash, later(2)).await.unwrap());
    assert!(sql.find_token(&next.hash).await.unwrap().is_some());
    assert!(sql.revoke_if_hash(id, &next.hash, later(2)).await.unwrap());
    assert!(sql.find_token(&next.hash).await.unwrap().is_none());
}

async fn concurrent_revoke_if_hash_succeeds_once(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    for round in 0..100 {
        let new = new_session(&alice, "laptop", later(round));
        let id = sql.mint(&new).await.unwrap().token_id;
        let ended = join_all((0..8).map(|_| sql.revoke_if_hash(id, &new.hash, later(round)))).await;
        assert_eq!(ended.into_iter().filter(|ended| *ended.as_ref().unwrap()).count(), 1);
    }
    assert_eq!(count(&sql, "oauth_access_tokens WHERE token_hash IS NOT NULL").await, 0);
}
