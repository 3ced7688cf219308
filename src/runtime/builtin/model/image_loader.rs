//! Loads the images of a prompt: references until the call, data URLs in its request.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use http::{HeaderMap, Method};
use url::Url;

use super::{
    error::ModelError,
    image::{ImageSource, StoredImage},
    prompt::Prompt,
};
use crate::{
    domain::{Error, file::content_type::signature},
    memory::{MemoryKind, MemoryLedger, MemoryPermit, Owner},
    runtime::outbound::{OutboundClient, OutboundRequest},
    store::files::FileStore,
};

/// Longest wait for the next part of a remote image.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Copies of an image while its request is sent: its bytes, its data URL, and the request.
const COPIES: usize = 4;
/// Images of one prompt.
const MAX_IMAGES: usize = 20;

/// Loads images for the endpoint.
#[derive(Clone)]
pub(crate) struct ImageLoader {
    pub files: FileStore,
    pub outbound: Arc<OutboundClient>,
    pub memory: MemoryLedger,
    /// Limit of one image, in bytes.
    pub max_bytes: usize,
}

impl ImageLoader {
    /// Replaces the images of a prompt by data URLs. The memory is held until the request is sent.
    pub(super) async fn load(&self, prompt: &mut Prompt) -> Result<Vec<MemoryPermit>, ModelError> {
        let images = || prompt.messages.iter().flat_map(|message| &message.images);
        if images().count() > MAX_IMAGES {
            return Err(ModelError::new(format!("The prompt has more than {MAX_IMAGES} images.")));
        }
        let mut permits = Vec::new();
        for image in prompt.messages.iter_mut().flat_map(|message| &mut message.images) {
            let mut permit = self.memory.permit(MemoryKind::Runs, Some(image.owners[0]));
            let contents = match &image.source {
                ImageSource::Stored(image) => self.stored(image, &mut permit).await?,
                ImageSource::Remote(url) => self.remote(url, image.owners, &mut permit).await?,
                ImageSource::Data(_) => continue,
            };
            let media_type = signature(&contents).filter(|media_type| media_type.starts_with("image/"));
            let media_type = media_type.ok_or_else(|| ModelError::new("A file of the prompt is not an image."))?;
            image.source = ImageSource::Data(format!("data:{media_type};base64,{}", STANDARD.encode(&contents)));
            permits.push(permit);
        }
        Ok(permits)
    }

    async fn stored(&self, image: &StoredImage, permit: &mut MemoryPermit) -> Result<Vec<u8>, ModelError> {
        let unreadable = |error: Error| ModelError {
            cause: Some(error.into()),
            ..ModelError::new("An image of the prompt cannot be read.")
        };
        let contents = self.files.read(&image.key, image.size).await.map_err(unreadable)?;
        let mut contents = std::pin::pin!(contents.ok_or_else(|| ModelError::new("An image of the prompt is gone."))?);
        let mut bytes = Vec::new();
        while let Some(part) = contents.next().await {
            let part = part.map_err(unreadable)?;
            self.grow(permit, bytes.len() + part.len())?;
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    async fn remote(&self, url: &Url, owners: [Owner; 2], permit: &mut MemoryPermit) -> Result<Vec<u8>, ModelError> {
        let request = OutboundRequest {
            method: Method::GET,
            url: url.clone(),
            headers: HeaderMap::new(),
            body: None,
            read_timeout: READ_TIMEOUT,
        };
        let response = self.outbound.send(owners, request, |_| self.max_bytes).await;
        let response = response.map_err(|error| ModelError::new(format!("An image cannot be fetched: {error}.")))?;
        if !response.status.is_success() {
            return Err(ModelError::new(format!(
                "An image cannot be fetched: the server answered {}.",
                response.status
            )));
        }
        self.grow(permit, response.body.len())?;
        Ok(response.body.to_vec())
    }

    fn grow(&self, permit: &mut MemoryPermit, bytes: usize) -> Result<(), ModelError> {
        if bytes > self.max_bytes {
            return Err(ModelError::new(format!("An image of the prompt is larger than {} bytes.", self.max_bytes)));
        }
        permit.resize(bytes * COPIES).map_err(|error| ModelError::new(format!("No memory for an image: {error}.")))
    }
}
