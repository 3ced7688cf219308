//! Apps of a workspace.

mod describe;
mod list;
mod moved_paths;
