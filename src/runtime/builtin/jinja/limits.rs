//! The limits of one rendering.

/// Longest template, in bytes.
pub(super) const MAX_SOURCE: usize = 256 << 10;
/// Longest output, in characters: Dify's `TEMPLATE_TRANSFORM_MAX_LENGTH`.
pub(super) const MAX_OUTPUT: usize = 400_000;
/// Deepest nesting of blocks and brackets in a source. Each level takes about a dozen stack frames of the parser.
pub(super) const MAX_SYNTAX_DEPTH: usize = 48;
/// Deepest nesting of blocks, expressions and calls while a template runs.
pub(super) const MAX_CALL_DEPTH: usize = 240;
/// Deepest nesting of a value that is written, compared or used as a key.
pub(super) const MAX_VALUE_DEPTH: usize = 100;

/// What one rendering may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RenderLimits {
    /// Operations; 32 bytes that an operation reads or writes count as one more.
    pub steps: u64,
    /// Bytes of values that exist at the same time.
    pub bytes: usize,
}
