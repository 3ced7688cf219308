//! The cache of connections in Redis.

use std::time::Duration;

use chrono::DateTime;
use uuid::Uuid;

use crate::{
    domain::{
        connection::credential::{
            Connection, ConnectionHealth, ConnectionStatus, CredentialType, ReauthorizationReason, Visibility,
        },
        id::{AccountId, ConnectionId, WorkspaceId},
        secret::Secret,
        stored::StoredValue,
    },
    ports::connection_cache::{CachedConnection, CachedSelection, ConnectionCache, ConnectionGroup, Generation},
    store::state::tests::backend::{TestBackend, direct_connection},
};

const PROVIDER: &str = "acme/tools/a";

fn connection(sealed: &str) -> Connection {
    let time = DateTime::from_timestamp_micros(1_800_000_000_000_123).unwrap();
    Connection {
        id: ConnectionId(Uuid::new_v4()),
        workspace_id: WorkspaceId(Uuid::new_v4()),
        owner: AccountId(Uuid::new_v4()),
        provider: PROVIDER.to_owned(),
        name: "AUTH \"1\" é".to_owned(),
        kind: StoredValue::Known(CredentialType::OAuth),
        visibility: StoredValue::Known(Visibility::OnlyMe),
        is_default: true,
        sealed: Secret::new(sealed),
        expires_at: 1_800_003_600,
        created_at: time,
        updated_at: time,
        health: ConnectionHealth {
            status: ConnectionStatus::ReauthorizationRequired,
            reason: Some(StoredValue::Known(ReauthorizationReason::Rejected)),
            failures: 3,
            retry_at: None,
            last_used_at: Some(time),
        },
    }
}

fn group(connection: &Connection) -> ConnectionGroup<'_> {
    ConnectionGroup { workspace: connection.workspace_id, provider: &connection.provider }
}

fn selections(connection: &Connection) -> [CachedSelection; 2] {
    [CachedSelection::Connection(connection.id), CachedSelection::DefaultOf(connection.owner)]
}

impl TestBackend {
    fn cache(&self) -> &dyn ConnectionCache {
        self.stores.connection_cache.as_deref().unwrap()
    }

    async fn find(&self, connection: &Connection, selection: CachedSelection) -> CachedConnection {
        self.cache().get(group(connection), selection).await.unwrap()
    }

    /// What a reader may cache; a generation that no group has when it may cache nothing.
    async fn generation(&self, connection: &Connection) -> Generation {
        match self.find(connection, selections(connection)[0]).await {
            CachedConnection::Missing(generation) => generation,
            CachedConnection::Found(..) | CachedConnection::Closed => Generation(Some(Uuid::max())),
        }
    }

    async fn put(&self, connection: &Connection, generation: Generation) {
        for selection in selections(connection) {
            self.cache().put(group(connection), selection, connection, generation).await.unwrap();
        }
    }

    async fn begin(&self, connection: &Connection) {
        self.cache().begin_write(group(connection)).await.unwrap();
    }

    async fn end(&self, connection: &Connection) {
        self.cache().end_write(group(connection), Uuid::new_v4()).await.unwrap();
    }

    async fn assert_empty(&self, connection: &Connection) {
        for selection in selections(connection) {
            let found = self.find(connection, selection).await;
            assert!(!matches!(found, CachedConnection::Found(..)), "{found:?}");
        }
    }
}

#[tokio::test]
async fn nothing_is_found_after_a_write() {
    let Some(backend) = TestBackend::redis() else { return };
    let row = connection("sealed");
    for _ in 0..3 {
        backend.put(&row, backend.generation(&row).await).await;
        backend.begin(&row).await;
        backend.assert_empty(&row).await;
        backend.end(&row).await;
        backend.assert_empty(&row).await;
    }
}

#[tokio::test]
async fn read_before_a_write_is_not_cached_after_it() {
    let Some(backend) = TestBackend::redis() else { return };
    let row = connection("sealed");
    for _ in 0..3 {
        let generation = backend.generation(&row).await;
        backend.begin(&row).await;
        backend.end(&row).await;
        backend.put(&row, generation).await;
        backend.assert_empty(&row).await;
    }
}

#[tokio::test]
async fn nothing_is_cached_during_a_write() {
    let Some(backend) = TestBackend::redis() else { return };
    let row = connection("sealed");
    backend.begin(&row).await;
    assert!(matches!(backend.find(&row, selections(&row)[0]).await, CachedConnection::Closed));
    backend.put(&row, Generation(None)).await;
    backend.put(&row, backend.generation(&row).await).await;
    backend.end(&row).await;
    backend.assert_empty(&row).await;
}

#[tokio::test]
async fn cached_connection_is_found_as_it_was_put_until_a_write() {
    let Some(backend) = TestBackend::redis() else { return };
    let (row, other) = (connection("sealed"), connection("other"));
    for _ in 0..2 {
        backend.put(&row, backend.generation(&row).await).await;
        for selection in selections(&row) {
            let CachedConnection::Found(found, _) = backend.find(&row, selection).await else { panic!("not cached") };
            assert_eq!(found.sealed.expose(), row.sealed.expose());
            assert_eq!(format!("{found:?}"), format!("{row:?}"));
        }
        backend.assert_empty(&other).await;
        // A write of another group removes nothing.
        backend.begin(&other).await;
        assert!(matches!(backend.find(&row, selections(&row)[0]).await, CachedConnection::Found(..)));
        backend.begin(&row).await;
        backend.end(&row).await;
    }
}

#[tokio::test]
async fn entries_and_groups_are_bounded_and_expire() {
    let (Some(backend), Some(mut redis)) = (TestBackend::redis(), direct_connection().await) else { return };
    let large = connection(&"s".repeat(16 << 10));
    backend.put(&large, backend.generation(&large).await).await;
    backend.assert_empty(&large).await;
    let row = connection("sealed");
    let generation = backend.generation(&row).await;
    let accounts: Vec<_> = (0..300).map(|_| CachedSelection::DefaultOf(AccountId(Uuid::new_v4()))).collect();
    for selection in &accounts {
        backend.cache().put(group(&row), *selection, &row, generation).await.unwrap();
    }
    let mut cached = 0;
    for selection in &accounts {
        cached += usize::from(matches!(backend.find(&row, *selection).await, CachedConnection::Found(..)));
    }
    assert_eq!(cached, 256);
    let key = format!("{}:openapi:connections:{}:{PROVIDER}", backend.key_prefix, row.workspace_id);
    let mut lifetime = async || {
        let ms: u64 = redis::cmd("PTTL").arg(&key).query_async(&mut redis).await.unwrap();
        Duration::from_millis(ms)
    };
    assert!((20..=30).contains(&lifetime().await.as_secs()));
    backend.begin(&row).await;
    assert!((110..=120).contains(&lifetime().await.as_secs()));
    backend.end(&row).await;
    assert!((20..=30).contains(&lifetime().await.as_secs()));
}

#[tokio::test]
async fn entry_that_cannot_be_read_counts_as_missing() {
    let (Some(backend), Some(mut redis)) = (TestBackend::redis(), direct_connection().await) else { return };
    let row = connection("sealed");
    let key = format!("{}:openapi:connections:{}:{PROVIDER}", backend.key_prefix, row.workspace_id);
    for entry in ["", "{", "{}", "[1]", "null", "\u{0}"] {
        let set = redis::cmd("HSET").arg(&key).arg(row.id.to_string()).arg(entry).to_owned();
        let _: i64 = set.query_async(&mut redis).await.unwrap();
        assert!(matches!(backend.find(&row, selections(&row)[0]).await, CachedConnection::Missing(Generation(None))));
    }
}
