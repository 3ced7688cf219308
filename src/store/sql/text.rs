//! Text as every database can hold it.

/// PostgreSQL holds no NUL in text; it becomes the replacement character, so that a row is never lost to one.
pub(super) fn storable(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}
