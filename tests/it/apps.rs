//! Apps of a workspace.

mod describe;
mod list;
