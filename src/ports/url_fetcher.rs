//! Fetches texts from addresses that members of workspaces choose.

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use crate::{domain::id::WorkspaceId, memory::MemoryPermit};

/// A fetched body with its memory.
#[derive(Debug)]
pub struct FetchedBody {
    pub bytes: Bytes,
    /// Dropped with the bytes.
    pub memory: MemoryPermit,
}

/// Why nothing was fetched: a sentence for the person who chose the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlFetchError(pub String);

/// Fetches over HTTP from public addresses and allowed networks only.
#[async_trait]
pub trait UrlFetcher: Send + Sync + 'static {
    /// Fetches at most `max_bytes`, for a workspace, whose share of requests and memory it takes.
    async fn fetch(&self, workspace: WorkspaceId, url: Url, max_bytes: usize) -> Result<FetchedBody, UrlFetchError>;
}
