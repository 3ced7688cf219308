//! Apps: what can be listed, described and run.

pub mod definition;
pub mod description;
pub mod file;
pub mod form;
pub mod mode;
pub mod stored_app;
pub mod summary;

pub use definition::{Definition, ModelConfig, Workflow, full_provider};
pub use mode::AppMode;
pub use stored_app::App;
