//! Addresses of pages, and redirects to them.

use axum::response::Response;
use http::StatusCode;

use crate::{domain::id::TokenId, http::answer::redirect};

/// The path of the sessions list.
pub(super) const SESSIONS: &str = "/device/sessions";

/// The path of the list of connections.
pub(super) const CONNECTIONS: &str = "/device/connections";

/// A redirect that is followed with GET (RFC 9110 section 15.4.4), so that reloading and going back repeat no form.
pub(super) fn see_other(location: &str) -> Response {
    redirect(StatusCode::SEE_OTHER, location)
}

/// Appends a parameter, such as `page=2`, to an address.
pub(super) fn with_parameter(address: &str, parameter: &str) -> String {
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{parameter}")
}

/// Appends the position in the sessions list: the current session, if known, and the page, unless it is the first.
pub(super) fn with_list_position(address: &str, current: Option<TokenId>, page: u32) -> String {
    let marked = current.map_or_else(|| address.to_owned(), |id| with_parameter(address, &format!("current={id}")));
    if page > 1 { with_parameter(&marked, &format!("page={page}")) } else { marked }
}
