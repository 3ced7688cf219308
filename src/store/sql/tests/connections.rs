//! Connections, OAuth clients and imported providers.

use super::*;
use crate::domain::{
    connection::{
        client::{ReplacedClient, StoredClient},
        credential::{
            Connection, ConnectionChange, ConnectionStatus, CredentialType, MAX_CONNECTIONS, NewConnection,
            ReauthorizationReason, Recorded, ReplacedCredentials, Visibility,
        },
        manifest::ProviderManifest,
        provider_key::ProviderKey,
    },
    error::Code,
    id::{ConnectionId, WorkspaceId},
};

conformance!(
    connections_are_named_limited_and_deleted,
    credentials_are_replaced_by_one_of_concurrent_writers,
    states_follow_failures_and_successes,
    due_connections_are_used_active_and_expire_soon,
    changes_need_the_values_that_were_read,
    clients_are_replaced_and_deleted,
    providers_are_imported_and_removed,
);

const PROVIDER: &str = "langgenius/gmail/gmail";

fn new(workspace: WorkspaceId, owner: AccountId, name: Option<&str>) -> NewConnection {
    NewConnection {
        id: ConnectionId(Uuid::new_v4()),
        workspace_id: workspace,
        owner,
        max_of_owner: MAX_CONNECTIONS,
        provider: PROVIDER.to_owned(),
        name: name.map(str::to_owned),
        kind: CredentialType::OAuth,
        visibility: Visibility::OnlyMe,
        sealed: Secret::new("sealed 1"),
        expires_at: start().timestamp() + 3_600,
        created_at: start(),
    }
}

async fn workspace(sql: &SqlStore) -> (WorkspaceId, AccountId) {
    let alice = account_id(&migrate_with_account(sql).await);
    (sql.create_workspace("Acme", "alice@example.com", start()).await.unwrap(), alice)
}

async fn get(sql: &SqlStore, id: ConnectionId) -> Connection {
    sql.find_any_connection(id).await.unwrap().expect("the connection")
}

async fn connections_are_named_limited_and_deleted(sql: SqlStore) {
    let (acme, alice) = workspace(&sql).await;
    assert_eq!(sql.create_connection(&new(acme, alice, None)).await.unwrap(), "AUTH 1");
    assert_eq!(sql.create_connection(&new(acme, alice, Some("AUTH 3"))).await.unwrap(), "AUTH 3");
    assert_eq!(sql.create_connection(&new(acme, alice, None)).await.unwrap(), "AUTH 4");
    let taken = sql.create_connection(&new(acme, alice, Some("AUTH 3"))).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    let unknown = WorkspaceId(Uuid::new_v4());
    assert_eq!(sql.create_connection(&new(unknown, alice, None)).await.unwrap_err().code(), Code::NotFound);
    // Concurrent ones get names of their own.
    let [one, two] = [new(acme, alice, None), new(acme, alice, None)];
    let (one, two) = tokio::join!(sql.create_connection(&one), sql.create_connection(&two));
    assert_ne!(one.unwrap(), two.unwrap());
    // Five exist.
    let of_member = NewConnection { max_of_owner: 5, ..new(acme, alice, None) };
    assert_eq!(sql.create_connection(&of_member).await.unwrap_err().code(), Code::InvalidParam);
    let of_other = NewConnection { max_of_owner: 1, ..new(acme, AccountId(Uuid::new_v4()), None) };
    sql.create_connection(&of_other).await.unwrap();
    assert!(sql.delete_connection(of_other.id).await.unwrap());
    for _ in 5..MAX_CONNECTIONS {
        sql.create_connection(&new(acme, alice, None)).await.unwrap();
    }
    assert_eq!(sql.create_connection(&new(acme, alice, None)).await.unwrap_err().code(), Code::InvalidParam);
    let listed = sql.list_connections(acme, Some(PROVIDER)).await.unwrap();
    assert_eq!(listed.len() as u64, MAX_CONNECTIONS);
    assert!(sql.list_connections(acme, Some("langgenius/github/github")).await.unwrap().is_empty());
    assert!(sql.list_connections(unknown, None).await.unwrap().is_empty());
    assert!(sql.find_connection(unknown, listed[0].id).await.unwrap().is_none());
    assert!(listed[0].visibility.is(Visibility::OnlyMe) && listed[0].kind.is(CredentialType::OAuth));
    assert!(sql.delete_connection(listed[0].id).await.unwrap());
    assert!(!sql.delete_connection(listed[0].id).await.unwrap());
    assert_eq!(u64::try_from(count(&sql, "openapi_connections").await), Ok(MAX_CONNECTIONS - 1));
    let page = sql.page_of_connections(None, 10).await.unwrap();
    let next = sql.page_of_connections(Some(page[9].id), 1_000).await.unwrap();
    assert_eq!((page.len(), next.len() as u64), (10, MAX_CONNECTIONS - 11));
}

async fn credentials_are_replaced_by_one_of_concurrent_writers(sql: SqlStore) {
    let (acme, alice) = workspace(&sql).await;
    let new = new(acme, alice, None);
    sql.create_connection(&new).await.unwrap();
    let mut writers = Vec::new();
    for writer in 0..8 {
        let (sql, id) = (sql.clone(), new.id);
        writers.push(tokio::spawn(async move {
            let (old, new) = (Secret::new("sealed 1"), Secret::new(format!("by {writer}")));
            let replaced = ReplacedCredentials { old: &old, new: &new, expires_at: writer, now: later(1) };
            sql.replace_credentials(id, replaced).await.unwrap().then_some(writer)
        }));
    }
    let mut won = Vec::new();
    for writer in writers {
        won.extend(writer.await.unwrap());
    }
    let stored = get(&sql, new.id).await;
    assert_eq!(won, [stored.expires_at]);
    assert_eq!(stored.sealed.expose(), format!("by {}", won[0]));
}

async fn states_follow_failures_and_successes(sql: SqlStore) {
    let (acme, alice) = workspace(&sql).await;
    let new = new(acme, alice, None);
    sql.create_connection(&new).await.unwrap();
    sql.mark_refresh_failed(new.id, 3, later(60)).await.unwrap();
    let health = get(&sql, new.id).await.health;
    assert_eq!((health.failures, health.status), (3, ConnectionStatus::Active));
    assert_eq!(health.retry_at.map(|at| at.timestamp()), Some(later(60).timestamp()));
    let reason = ReauthorizationReason::InvalidGrant;
    let read = get(&sql, new.id).await;
    let mark = async |read: &Connection| sql.mark_reauthorization_required(read, reason).await.unwrap();
    assert_eq!([mark(&read).await, mark(&read).await], [Recorded::Now, Recorded::Before], "it is recorded once");
    let health = get(&sql, new.id).await.health;
    assert_eq!(health.status, ConnectionStatus::ReauthorizationRequired);
    assert!(health.reason.is_some_and(|stored| stored.is(reason)));
    sql.mark_active(new.id).await.unwrap();
    sql.mark_used(new.id, later(5)).await.unwrap();
    let stored = get(&sql, new.id).await;
    assert_eq!((stored.health.status, stored.health.failures), (ConnectionStatus::Active, 0));
    assert!(stored.health.reason.is_none() && stored.health.retry_at.is_none() && stored.health.last_used_at.is_some());
    assert!(stored.visibility.is(Visibility::OnlyMe), "the visibility is kept");
    // A connection that Dify has created has no state.
    execute(&sql, "DELETE FROM openapi_connections").await;
    assert!(get(&sql, new.id).await.visibility.is(Visibility::Workspace));
    assert_eq!([mark(&read).await, mark(&read).await], [Recorded::Now, Recorded::Before]);
    assert!(get(&sql, new.id).await.visibility.is(Visibility::Workspace));
    // Other values than the ones that were read, and a connection that was deleted.
    sql.mark_active(new.id).await.unwrap();
    let (old, other) = (Secret::new("sealed 1"), Secret::new("other"));
    let replaced = ReplacedCredentials { old: &old, new: &other, expires_at: 1, now: later(1) };
    assert!(sql.replace_credentials(new.id, replaced).await.unwrap());
    assert_eq!(mark(&read).await, Recorded::Changed);
    let read = get(&sql, new.id).await;
    assert_eq!(read.health.status, ConnectionStatus::Active);
    assert!(sql.delete_connection(new.id).await.unwrap());
    assert_eq!(mark(&read).await, Recorded::Changed);
    sql.mark_used(new.id, later(5)).await.unwrap();
    sql.mark_refresh_failed(new.id, 1, later(60)).await.unwrap();
    sql.mark_active(new.id).await.unwrap();
    assert_eq!(count(&sql, "openapi_connections").await, 0);
}

async fn due_connections_are_used_active_and_expire_soon(sql: SqlStore) {
    let (acme, alice) = workspace(&sql).await;
    let mut ids = Vec::new();
    for (expires_at, used) in [(600, true), (300, true), (600, false), (7_200, true), (-1, true), (600, true)] {
        let expires_at = if expires_at < 0 { -1 } else { start().timestamp() + expires_at };
        let new = NewConnection { expires_at, ..new(acme, alice, None) };
        sql.create_connection(&new).await.unwrap();
        if used {
            sql.mark_used(new.id, start()).await.unwrap();
        }
        ids.push(new.id);
    }
    let read = get(&sql, ids[5]).await;
    sql.mark_reauthorization_required(&read, ReauthorizationReason::InvalidGrant).await.unwrap();
    let due = async |now, limit| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = sql.list_due_connections(now, later(900), later(-60), after.as_ref(), limit).await.unwrap();
            found.extend(page.iter().map(|connection| connection.id));
            let Some(last) = page.last() else { return found };
            after = Some(last.clone());
        }
    };
    assert_eq!(due(start(), 10).await, [ids[1], ids[0]]);
    assert_eq!(due(start(), 1).await, [ids[1], ids[0]], "page by page");
    sql.mark_refresh_failed(ids[1], 1, later(60)).await.unwrap();
    assert_eq!(due(start(), 10).await, [ids[0]]);
    assert_eq!(due(later(60), 10).await, [ids[1], ids[0]]);
}

async fn changes_need_the_values_that_were_read(sql: SqlStore) {
    let (acme, alice) = workspace(&sql).await;
    let (one, two) = (new(acme, alice, Some("One")), new(acme, alice, Some("Two")));
    sql.create_connection(&one).await.unwrap();
    sql.create_connection(&two).await.unwrap();
    let read = get(&sql, one.id).await;
    let rename = |name: &str| ConnectionChange { name: Some(name.to_owned()), ..ConnectionChange::default() };
    let taken = sql.change_connection(&read, &rename("Two"), later(1)).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    let change = ConnectionChange {
        name: Some("Three".to_owned()),
        visibility: Some(Visibility::Workspace),
        sealed: Some(Secret::new("sealed 2")),
    };
    assert!(sql.change_connection(&read, &change, later(1)).await.unwrap());
    let changed = get(&sql, one.id).await;
    assert_eq!((changed.name.as_str(), changed.sealed.expose()), ("Three", "sealed 2"));
    assert!(changed.visibility.is(Visibility::Workspace));
    assert!(!sql.change_connection(&read, &rename("Four"), later(2)).await.unwrap(), "the values have changed");
    for id in [one.id, two.id, two.id] {
        sql.make_default(&get(&sql, id).await).await.unwrap();
        let defaults = sql.list_connections(acme, None).await.unwrap().into_iter().filter(|one| one.is_default);
        assert_eq!(defaults.map(|one| one.id).collect::<Vec<_>>(), [id]);
    }
}

async fn clients_are_replaced_and_deleted(sql: SqlStore) {
    let (acme, _) = workspace(&sql).await;
    let key: ProviderKey = PROVIDER.parse().unwrap();
    assert!(sql.find_workspace_client(acme, &key).await.unwrap().is_none());
    for (enabled, sealed) in [(true, "one"), (false, "two")] {
        let stored = StoredClient { enabled, sealed: Secret::new(sealed) };
        sql.put_workspace_client(Uuid::new_v4(), acme, &key, &stored).await.unwrap();
        let found = sql.find_workspace_client(acme, &key).await.unwrap().unwrap();
        assert_eq!((found.enabled, found.sealed.expose()), (enabled, sealed));
        sql.put_system_client(Uuid::new_v4(), &key, &Secret::new(sealed)).await.unwrap();
        assert_eq!(sql.find_system_client(&key).await.unwrap().unwrap().expose(), sealed);
    }
    assert_eq!(sql.list_clients().await.unwrap().len(), 2);
    for workspace in [Some(acme), None] {
        let (old, new) = (Secret::new("two"), Secret::new("third"));
        let replaced = ReplacedClient { old: &old, new: &new };
        assert!(sql.replace_client(workspace, &key, replaced).await.unwrap());
        assert!(!sql.replace_client(workspace, &key, replaced).await.unwrap(), "another value is stored by now");
        assert!(!sql.replace_client(workspace, &"other".parse().unwrap(), replaced).await.unwrap());
    }
    assert_eq!(sql.find_workspace_client(acme, &key).await.unwrap().unwrap().sealed.expose(), "third");
    assert_eq!(sql.find_system_client(&key).await.unwrap().unwrap().expose(), "third");
    assert!(sql.delete_workspace_client(acme, &key).await.unwrap());
    assert!(!sql.delete_workspace_client(acme, &key).await.unwrap());
}

async fn providers_are_imported_and_removed(sql: SqlStore) {
    workspace(&sql).await;
    let key: ProviderKey = "acme/tools/search".parse().unwrap();
    let manifest: ProviderManifest = serde_json::from_str(r#"{"label": {"en_US": "Search"}}"#).unwrap();
    sql.put_provider(&key, &manifest, start()).await.unwrap();
    sql.put_provider(&key, &manifest, later(1)).await.unwrap();
    assert_eq!(sql.list_imported_providers().await.unwrap(), [(key.clone(), manifest)]);
    assert!(sql.delete_provider(&key).await.unwrap());
    assert!(!sql.delete_provider(&key).await.unwrap());
}
