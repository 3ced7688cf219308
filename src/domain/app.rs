//! Apps: what can be listed, described and run.

pub(crate) mod access;
pub(crate) mod console_app;
pub(crate) mod definition;
pub(crate) mod description;
pub(crate) mod draft;
pub(crate) mod file;
pub(crate) mod form;
pub(crate) mod import;
pub(crate) mod mode;
pub(crate) mod stored_app;
pub(crate) mod summary;
pub(crate) mod tag;

pub use definition::{Definition, ModelConfig};
pub(crate) use definition::{Workflow, full_provider};
pub use mode::AppMode;
pub use stored_app::App;
