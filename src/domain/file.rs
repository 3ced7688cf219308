//! Files that callers upload and give to runs, with Dify's names and values (contract C2).

pub(crate) mod content_type;
pub(crate) mod input;
pub(crate) mod kind;
pub(crate) mod limits;
pub(crate) mod name;
pub(crate) mod uploaded;
