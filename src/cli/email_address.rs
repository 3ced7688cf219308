//! Email addresses, as they are typed.

use crate::domain::email::normalize_email;

/// Reads an email address. Blanks around it are dropped.
pub(super) fn email_address(text: &str) -> Result<String, String> {
    normalize_email(text).map_err(str::to_owned)
}
