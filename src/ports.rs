//! What is really swapped, as small traits in the domain's words. SQL is not among them: it has one implementation.

pub(crate) mod clock;
pub(crate) mod entropy;
pub(crate) mod runtime;
pub(crate) mod state;
