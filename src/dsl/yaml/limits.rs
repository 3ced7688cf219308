//! Limits of a document.

/// The longest file, in bytes: Dify's own limit.
pub(crate) const LONGEST: usize = 10 << 20;
