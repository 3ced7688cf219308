//! Fetches what members of a workspace name by URL.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use url::Url;

use super::{client::OutboundClient, message::OutboundRequest};
use crate::{
    domain::id::WorkspaceId,
    memory::Owner,
    ports::url_fetcher::{FetchedBody, UrlFetchError, UrlFetcher},
};

/// Longest wait for the next part of a response.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

#[async_trait]
impl UrlFetcher for OutboundClient {
    async fn fetch(&self, workspace: WorkspaceId, url: Url, max_bytes: usize) -> Result<FetchedBody, UrlFetchError> {
        let request = OutboundRequest {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
            read_timeout: READ_TIMEOUT,
        };
        let owner = Owner::of(&workspace.0);
        let response = self
            .send([owner, owner], request, |_| max_bytes)
            .await
            .map_err(|error| UrlFetchError(format!("The URL cannot be read: {error}.")))?;
        if !response.status.is_success() {
            return Err(UrlFetchError(format!("The URL answers with status {}.", response.status.as_u16())));
        }
        let (bytes, memory) = response.into_body();
        Ok(FetchedBody { bytes, memory })
    }
}
