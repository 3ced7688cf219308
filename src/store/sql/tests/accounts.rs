//! Accounts and workspaces.

use futures_util::future::join_all;

use super::*;
use crate::domain::{
    account::{AccountStatus, EndedSessions},
    error::Code,
    id::WorkspaceId,
    workspace::WorkspaceRole,
};

conformance!(
    account_view_lists_workspaces_oldest_first,
    find_login_ignores_the_case_of_the_email_address,
    second_account_with_the_same_email_address_is_rejected,
    switch_workspace_leaves_exactly_one_current_workspace,
    foreign_and_archived_workspaces_do_not_become_current,
    members_are_added_once_and_never_as_owner,
    ban_ends_tokens_and_browser_sessions,
    new_password_ends_device_sessions_unless_they_are_kept,
    unknown_email_addresses_are_not_found,
);

async fn account_view_lists_workspaces_oldest_first(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    let alone = sql.find_account_view(alice).await.unwrap().unwrap();
    assert!(alone.memberships.is_empty() && alone.default_workspace().is_none());
    assert!(alone.account.is_active() && !alone.account.has_password);
    assert_eq!(alone.account.created_at, start());
    let newer = sql.create_workspace("Newer", "alice@example.com", later(5)).await.unwrap();
    let older = sql.create_workspace("Older", "alice@example.com", later(1)).await.unwrap();
    let view = sql.find_account_view(alice).await.unwrap().unwrap();
    let names: Vec<_> = view.memberships.iter().map(|one| (one.workspace_id, one.name.as_str(), one.current)).collect();
    assert_eq!(names, [(older, "Older", false), (newer, "Newer", true)]);
    let first = &view.memberships[0];
    assert_eq!((first.role.as_str(), first.status.as_str(), first.plan.as_str()), ("owner", "normal", "basic"));
    assert_eq!(first.created_at, later(1));
    assert!(sql.find_account_view(AccountId(Uuid::new_v4())).await.unwrap().is_none());
}

async fn find_login_ignores_the_case_of_the_email_address(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let hash = Secret::new("$argon2id$…");
    let id = sql.create_account("Alice@Example.com", "Alice", Some(&hash), start()).await.unwrap();
    let login = sql.find_login("aLICE@example.COM").await.unwrap().unwrap();
    assert_eq!((login.account.id, login.account.has_password), (id, true));
    assert!(login.password.unwrap().matches(hash.expose()) && login.salt.is_none());
    assert!(sql.find_login("alice@example.co").await.unwrap().is_none());
    sql.set_password("alice@example.com", &Secret::new("other"), EndedSessions::All, later(1)).await.unwrap();
    sql.record_login(id, "192.0.2.9", later(2)).await.unwrap();
    let login = sql.find_login("alice@example.com").await.unwrap().unwrap();
    assert!(login.password.unwrap().matches("other"));
    assert_eq!(count(&sql, "accounts WHERE last_login_ip = '192.0.2.9'").await, 1);
}

async fn second_account_with_the_same_email_address_is_rejected(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let refused = sql.create_account("ALICE@example.com", "Other", None, start()).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert_eq!(refused.message(), "An account with this email address already exists.");
    assert_eq!(sql.list_accounts().await.unwrap().len(), 1);
}

async fn switch_workspace_leaves_exactly_one_current_workspace(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    let mut workspaces = Vec::new();
    for number in 0..3 {
        let name = format!("Workspace {number}");
        workspaces.push(sql.create_workspace(&name, "alice@example.com", later(number)).await.unwrap());
    }
    for round in 0..50 {
        let all = workspaces.iter().map(|id| sql.switch_workspace(alice, *id, later(round)));
        assert!(join_all(all).await.into_iter().all(|switched| switched.unwrap()));
        let view = sql.find_account_view(alice).await.unwrap().unwrap();
        assert_eq!(view.memberships.iter().filter(|one| one.current).count(), 1);
    }
    assert!(sql.switch_workspace(alice, workspaces[1], later(60)).await.unwrap());
    let view = sql.find_account_view(alice).await.unwrap().unwrap();
    assert_eq!(view.default_workspace().unwrap().workspace_id, workspaces[1]);
}

async fn foreign_and_archived_workspaces_do_not_become_current(sql: SqlStore) {
    let alice = account_id(&migrate_with_account(&sql).await);
    create_account(&sql, "bob@example.com").await;
    let own = sql.create_workspace("Own", "alice@example.com", start()).await.unwrap();
    let of_bob = sql.create_workspace("Bob's", "bob@example.com", start()).await.unwrap();
    for id in [of_bob, WorkspaceId(Uuid::new_v4())] {
        assert!(!sql.switch_workspace(alice, id, later(1)).await.unwrap());
    }
    execute(&sql, "UPDATE tenants SET status = 'archive'").await;
    assert!(!sql.switch_workspace(alice, own, later(1)).await.unwrap());
}

async fn members_are_added_once_and_never_as_owner(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let bob = account_id(&create_account(&sql, "bob@example.com").await);
    let id = sql.create_workspace("Shared", "alice@example.com", start()).await.unwrap();
    let add = async |id, role| sql.add_member(id, "bob@example.com", role, start()).await.map_err(|error| error.code());
    assert_eq!(add(id, WorkspaceRole::Owner).await, Err(Code::InvalidParam));
    assert_eq!(add(WorkspaceId(Uuid::new_v4()), WorkspaceRole::Editor).await, Err(Code::NotFound));
    assert_eq!(add(id, WorkspaceRole::Editor).await, Ok(()));
    assert_eq!(add(id, WorkspaceRole::Normal).await, Err(Code::AlreadyExists));
    let view = sql.find_account_view(bob).await.unwrap().unwrap();
    assert_eq!((view.memberships[0].role.as_str(), view.memberships[0].current), ("editor", true));
    let listed = sql.list_workspaces().await.unwrap();
    assert_eq!((listed.len(), listed[0].id, listed[0].members), (1, id, 2));
}

async fn ban_ends_tokens_and_browser_sessions(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let new = new_session(&alice, "laptop", start());
    sql.mint(&new).await.unwrap();
    let browser = super::browser_sessions::sign_in(&sql, account_id(&alice)).await;
    let revoked = sql.set_account_status("Alice@example.com", AccountStatus::Banned, later(1)).await.unwrap();
    assert!(revoked.len() == 1 && revoked[0].hash == new.hash);
    assert!(sql.find_browser_session(browser.id, browser.account_id, later(1)).await.unwrap().is_none());
    assert!(!sql.find_account_view(account_id(&alice)).await.unwrap().unwrap().account.is_active());
    assert!(sql.set_account_status("alice@example.com", AccountStatus::Active, later(2)).await.unwrap().is_empty());
    assert!(sql.set_account_status("alice@example.com", AccountStatus::Closed, later(2)).await.is_err());
}

async fn new_password_ends_device_sessions_unless_they_are_kept(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let new = new_session(&alice, "laptop", start());
    sql.mint(&new).await.unwrap();
    let set = async |ended| sql.set_password("alice@example.com", &Secret::new("new"), ended, later(1)).await.unwrap();
    assert!(set(EndedSessions::Browser).await.is_empty());
    assert!(sql.find_token(&new.hash).await.unwrap().is_some());
    let revoked = set(EndedSessions::All).await;
    assert!(revoked.len() == 1 && revoked[0].hash == new.hash);
    assert!(sql.find_token(&new.hash).await.unwrap().is_none());
}

async fn unknown_email_addresses_are_not_found(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let status = sql.set_account_status("nobody@example.com", AccountStatus::Banned, start()).await.unwrap_err();
    let password =
        sql.set_password("nobody@example.com", &Secret::new("x"), EndedSessions::All, start()).await.unwrap_err();
    let owner = sql.create_workspace("W", "nobody@example.com", start()).await.unwrap_err();
    assert!([status, password, owner].iter().all(|error| error.code() == Code::NotFound));
    assert_eq!(count(&sql, "tenants").await, 0);
}
