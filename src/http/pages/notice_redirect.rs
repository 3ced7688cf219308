//! Redirects to a page that shows a notice.

use std::time::Duration;

use axum::response::Response;

use super::{
    context::PageContext,
    location::{see_other, with_parameter},
    notice::{self, Notice},
};
use crate::{
    domain::Result,
    http::answer::{set_cookie, whole_seconds},
};

/// Redirects to `url`, which then shows the notice `word` until the wait ends. Sets the cookie of notices when the
/// browser has none.
pub(super) fn see_other_with_notice(
    context: &PageContext,
    url: &str,
    word: &str,
    wait: Option<Duration>,
) -> Result<Response> {
    let now = context.site.clock.now().timestamp();
    let until = wait.map(|wait| now.saturating_add_unsigned(whole_seconds(wait)));
    let notice = Notice { word: word.to_owned(), until };
    let known = context.notice_cookie().map(str::to_owned);
    let cookie = match &known {
        Some(cookie) => cookie.clone(),
        None => context.site.entropy.base64url::<16>()?.expose().to_owned(),
    };
    let mut response = see_other(&with_parameter(url, &context.site.notice_parameter(&notice, &cookie)));
    if known.is_none() {
        set_cookie(&mut response, &context.site.services.cookies.cookie(notice::COOKIE, &cookie, None, true));
    }
    Ok(response)
}
