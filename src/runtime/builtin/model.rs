//! The models that LLM nodes and prompt apps call.

pub(crate) mod echo;
pub(crate) mod error;
pub(crate) mod image;
pub(crate) mod image_loader;
pub(crate) mod openai;
pub(crate) mod prompt;
pub(crate) mod registry;
pub(crate) mod stream;
pub(crate) mod usage;

mod output_schema;

pub(crate) use self::{
    error::ModelError,
    prompt::{Prompt, PromptMessage, PromptRole},
    registry::ModelRegistry,
    stream::{ModelChunk, Models},
    usage::Usage,
};
