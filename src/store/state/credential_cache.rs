//! `CredentialCache` in Redis. Dify does not use the memory of this process, so nothing is to be removed there.

use async_trait::async_trait;

use super::redis::RedisState;
use crate::{
    domain::{
        Result,
        id::{ConnectionId, WorkspaceId},
    },
    ports::credential_cache::CredentialCache,
};

/// The cache where Dify has no Redis in common with this process.
pub(super) struct NoCredentialCache;

#[async_trait]
impl CredentialCache for NoCredentialCache {
    async fn remove(&self, _: WorkspaceId, _: &str, _: ConnectionId) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl CredentialCache for RedisState {
    async fn remove(&self, workspace: WorkspaceId, provider: &str, id: ConnectionId) -> Result<()> {
        let mut command = redis::cmd("DEL");
        command.arg(self.keys().credentials(workspace, provider, id));
        self.run::<i64>(&command).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::store::state::tests::backend::{TestBackend, direct_connection};

    #[tokio::test]
    async fn values_are_removed_under_dify_s_name() {
        let (Some(backend), Some(mut connection)) = (TestBackend::redis(), direct_connection().await) else { return };
        let (workspace, id) = (WorkspaceId(Uuid::new_v4()), ConnectionId(Uuid::new_v4()));
        let name = format!("tool_credentials:tenant_id:{workspace}:provider:a/b/c:credential_id:{id}");
        let key = format!("{}:{name}", backend.key_prefix);
        redis::cmd("SET").arg(&key).arg("{}").query_async::<()>(&mut connection).await.unwrap();
        backend.stores.credential_cache.remove(workspace, "a/b/c", id).await.unwrap();
        backend.stores.credential_cache.remove(workspace, "a/b/c", id).await.unwrap();
        let exists: bool = redis::cmd("EXISTS").arg(&key).query_async(&mut connection).await.unwrap();
        assert!(!exists);
    }
}
