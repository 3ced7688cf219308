//! Errors of the services after a submitted form, shown on the page of the form. The browser is redirected to that
//! page, which shows the error code of the notice. Only codes of a fixed set are notices; `error_page` renders them and
//! all other errors.

use axum::response::Response;

use super::{context::PageContext, notice_redirect::see_other_with_notice, return_target::ReturnTarget};
use crate::{
    domain::{Code, Error},
    pipeline::fetch_site::is_same_origin,
};

/// The codes that a notice may name; other errors are the response to the form itself.
const REDIRECTED: [Code; 6] = [
    Code::NoSession,
    Code::NotFound,
    Code::AlreadyResolved,
    Code::ApproveInProgress,
    Code::RateLimited,
    Code::CsrfMismatch,
];

/// The redirect after a submitted form that failed; `None` when the error must be the response itself.
pub(super) fn redirect(context: &PageContext, error: &Error) -> Option<Response> {
    let code = match error.code() {
        Code::InvalidSession => Code::NoSession,
        // The path belongs to no page with a form, so the form was not one of this service.
        Code::NotFound if context.base_page() == ReturnTarget::EnterCode => return None,
        // A form of this service that has expired only when the browser reports this origin.
        Code::CsrfMismatch if !is_same_origin(&context.parts.headers) => return None,
        // The page of codes would say that there were too many of them.
        Code::RateLimited if !context.parts.uri.path().starts_with("/device") => return None,
        code => code,
    };
    let word = REDIRECTED.contains(&code).then(|| code.as_str())?;
    see_other_with_notice(context, &context.base_page_url(), word, error.retry_after()).ok()
}

/// The error that the notice of a request names. `None` once it no longer holds: after signing in, or after the wait.
pub(super) fn noticed_error(context: &PageContext) -> Option<Error> {
    let path = context.parts.uri.path();
    let word = context.notice().filter(|_| ReturnTarget::containing(path).path() == path)?;
    let code = REDIRECTED.into_iter().find(|code| code.as_str() == word)?;
    let wait = context.remaining_wait();
    let has_passed = match code {
        Code::NoSession => context.find_caller().is_some(),
        _ => wait.is_some_and(|wait| wait.is_zero()),
    };
    let error = Error::new(code, "A form was rejected.");
    (!has_passed).then(|| match wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    })
}
