//! Images of a prompt's messages.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::memory::Owner;

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImageSource {
    /// An upload that belongs to the run's caller.
    Stored(StoredImage),
    /// Fetched through the guarded client.
    Remote(Url),
    /// Loaded: a data URL.
    Data(String),
}

/// An image in the file store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredImage {
    pub key: String,
    /// In bytes.
    pub size: u64,
}

/// An image of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PromptImage {
    pub source: ImageSource,
    /// `low` or `high`; `None` leaves it to the model.
    pub detail: Option<String>,
    /// The workspace and the app, whose memory it takes.
    pub owners: [Owner; 2],
}
