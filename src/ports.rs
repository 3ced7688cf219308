//! What is really swapped, as small traits in the domain's words. SQL is not among them: it has one implementation.

pub mod clock;
pub mod entropy;
pub mod runtime;
pub mod state;
