//! Browser sessions and their refresh tokens.

use futures_util::future::join_all;

use super::*;
use crate::domain::{
    account::EndedSessions,
    browser_session::{NewBrowserSession, Refresh},
    id::BrowserSessionId,
    secret::RefreshHash,
};

conformance!(
    browser_session_is_found_until_it_expires,
    refresh_token_works_once,
    replaced_refresh_token_is_accepted_for_ten_seconds_without_a_new_one,
    reuse_of_any_spent_refresh_token_ends_the_session,
    concurrent_refreshes_with_one_token_rotate_it_once,
    new_password_and_logout_end_browser_sessions,
    account_lists_and_ends_its_own_browser_sessions,
);

fn origin() -> RequestOrigin {
    RequestOrigin::new(ClientAddress("203.0.113.7".parse().unwrap()), Some("Firefox/140.0"))
}

fn hash() -> RefreshHash {
    RefreshHash::of_token(&Uuid::new_v4().to_string())
}

pub(super) async fn sign_in(sql: &SqlStore, account_id: AccountId) -> NewBrowserSession {
    let new = NewBrowserSession {
        id: BrowserSessionId(Uuid::new_v4()),
        account_id,
        refresh_hash: hash(),
        remember: true,
        created_at: start(),
        expires_at: later(100),
        origin: origin(),
    };
    sql.create_browser_session(&new).await.unwrap();
    new
}

async fn browser_session_is_found_until_it_expires(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    let bob = account_id(&create_account(&sql, "bob@example.com").await);
    let session = sign_in(&sql, alice).await;
    let found = sql.find_browser_session(session.id, alice, later(99)).await.unwrap().unwrap();
    assert_eq!(found.email, "alice@example.com");
    assert!(sql.find_browser_session(session.id, bob, later(99)).await.unwrap().is_none());
    assert!(sql.find_browser_session(session.id, alice, later(100)).await.unwrap().is_none());
    assert_eq!(
        sql.rotate_refresh(&session.refresh_hash, &hash(), later(100), later(200), &origin()).await.unwrap(),
        Refresh::Unknown
    );
    assert_eq!(sql.delete_ended_browser_sessions(later(101), 1).await.unwrap(), 1);
}

async fn refresh_token_works_once(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    let session = sign_in(&sql, alice).await;
    let next = hash();
    let refreshed = sql.rotate_refresh(&session.refresh_hash, &next, later(1), later(200), &origin()).await.unwrap();
    assert_eq!(refreshed, Refresh::Rotated { session_id: session.id, account_id: alice, remember: true });
    assert!(sql.find_browser_session(session.id, alice, later(150)).await.unwrap().is_some());
    assert_eq!(sql.rotate_refresh(&hash(), &hash(), later(2), later(200), &origin()).await.unwrap(), Refresh::Unknown);
    assert!(matches!(
        sql.rotate_refresh(&next, &hash(), later(2), later(200), &origin()).await.unwrap(),
        Refresh::Rotated { .. }
    ));
}

async fn replaced_refresh_token_is_accepted_for_ten_seconds_without_a_new_one(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    let session = sign_in(&sql, alice).await;
    let (second, third) = (hash(), hash());
    sql.rotate_refresh(&session.refresh_hash, &second, later(1), later(200), &origin()).await.unwrap();
    for seconds in [1, 5, 10] {
        let again =
            sql.rotate_refresh(&session.refresh_hash, &hash(), later(seconds), later(200), &origin()).await.unwrap();
        assert_eq!(again, Refresh::Superseded, "after {seconds} s");
    }
    let rotated = sql.rotate_refresh(&second, &third, later(10), later(200), &origin()).await.unwrap();
    assert!(matches!(rotated, Refresh::Rotated { .. }), "the session continues");
    assert_eq!(
        sql.rotate_refresh(&second, &hash(), later(11), later(200), &origin()).await.unwrap(),
        Refresh::Superseded
    );
    let reused = sql.rotate_refresh(&session.refresh_hash, &hash(), later(10), later(200), &origin()).await.unwrap();
    assert_eq!(reused, Refresh::Reused, "only the immediate predecessor is accepted");
    assert!(sql.find_browser_session(session.id, alice, later(11)).await.unwrap().is_none());

    let session = sign_in(&sql, alice).await;
    sql.rotate_refresh(&session.refresh_hash, &hash(), later(1), later(200), &origin()).await.unwrap();
    let reused = sql.rotate_refresh(&session.refresh_hash, &hash(), later(11), later(200), &origin()).await.unwrap();
    assert_eq!(reused, Refresh::Reused, "after ten seconds");
}

async fn reuse_of_any_spent_refresh_token_ends_the_session(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    for age in 1..4 {
        let session = sign_in(&sql, alice).await;
        let mut latest = session.refresh_hash.clone();
        for _ in 0..age {
            let next = hash();
            sql.rotate_refresh(&latest, &next, later(1), later(200), &origin()).await.unwrap();
            latest = next;
        }
        let reused =
            sql.rotate_refresh(&session.refresh_hash, &hash(), later(12), later(200), &origin()).await.unwrap();
        assert_eq!(reused, Refresh::Reused);
        assert_eq!(
            sql.rotate_refresh(&latest, &hash(), later(13), later(200), &origin()).await.unwrap(),
            Refresh::Unknown
        );
        assert!(sql.find_browser_session(session.id, alice, later(3)).await.unwrap().is_none());
    }
    assert_eq!(count(&sql, "openapi_spent_refresh_tokens").await, 0);
}

async fn concurrent_refreshes_with_one_token_rotate_it_once(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    for _ in 0..200 {
        let session = sign_in(&sql, alice).await;
        let nexts: Vec<_> = (0..4).map(|_| hash()).collect();
        let origin = origin();
        let all =
            nexts.iter().map(|next| sql.rotate_refresh(&session.refresh_hash, next, later(1), later(200), &origin));
        let done: Vec<_> = join_all(all).await.into_iter().map(|one| one.unwrap()).collect();
        assert_eq!(done.iter().filter(|one| matches!(one, Refresh::Rotated { .. })).count(), 1, "{done:?}");
        assert_eq!(done.iter().filter(|one| **one == Refresh::Superseded).count(), 3, "{done:?}");
        assert!(sql.find_browser_session(session.id, alice, later(1)).await.unwrap().is_some());
    }
}

async fn new_password_and_logout_end_browser_sessions(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    let (one, two) = (sign_in(&sql, alice).await, sign_in(&sql, alice).await);
    assert!(sql.delete_browser_session(one.id).await.unwrap());
    assert!(!sql.delete_browser_session(one.id).await.unwrap());
    assert!(sql.find_browser_session(two.id, alice, later(1)).await.unwrap().is_some());
    sql.set_password("alice@example.com", &Secret::new("new"), EndedSessions::Browser, later(1)).await.unwrap();
    assert!(sql.find_browser_session(two.id, alice, later(1)).await.unwrap().is_none());
}

async fn account_lists_and_ends_its_own_browser_sessions(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    let bob = account_id(&create_account(&sql, "bob@example.com").await);
    let (first, second, third) = (sign_in(&sql, alice).await, sign_in(&sql, alice).await, sign_in(&sql, alice).await);
    let of_bob = sign_in(&sql, bob).await;
    let phone = RequestOrigin::new(ClientAddress("2001:db8::7".parse().unwrap()), None);
    sql.rotate_refresh(&first.refresh_hash, &hash(), later(1), later(200), &phone).await.unwrap();
    let listed = sql.list_browser_sessions(alice, 2, later(2)).await.unwrap();
    assert_eq!((listed.total, listed.newest.len()), (3, 2));
    let listed = sql.list_browser_sessions(alice, 20, later(150)).await.unwrap();
    assert_eq!((listed.total, listed.newest.len()), (1, 1), "two have expired");
    let refreshed = &listed.newest[0];
    assert_eq!((refreshed.id, refreshed.refreshed_at), (first.id, Some(later(1))));
    assert_eq!(
        (refreshed.created_ip.as_deref(), refreshed.last_ip.as_deref()),
        (Some("203.0.113.7"), Some("2001:db8::7"))
    );
    assert_eq!((refreshed.user_agent.as_deref(), refreshed.last_user_agent.as_deref()), (Some("Firefox/140.0"), None));

    assert!(!sql.end_browser_session(alice, of_bob.id).await.unwrap(), "of another account");
    assert!(sql.end_browser_session(alice, second.id).await.unwrap());
    assert!(!sql.end_browser_session(alice, second.id).await.unwrap());
    assert_eq!(sql.end_other_browser_sessions(alice, third.id).await.unwrap(), 1);
    let kept = sql.list_browser_sessions(alice, 20, later(2)).await.unwrap();
    assert_eq!(kept.newest.iter().map(|session| session.id).collect::<Vec<_>>(), [third.id]);
    assert_eq!(sql.list_browser_sessions(bob, 20, later(2)).await.unwrap().total, 1);
}
