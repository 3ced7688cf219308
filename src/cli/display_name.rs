//! Display names of accounts and workspaces, as they are typed.

use crate::domain::text::visible_name;

/// Reads a name that is shown to others.
pub(super) fn display_name(text: &str) -> Result<String, String> {
    match visible_name(text) {
        Ok(name) if name.is_empty() => Err("must contain a visible character".to_owned()),
        Ok(name) => Ok(name),
        Err(error) => Err(error.to_string()),
    }
}
