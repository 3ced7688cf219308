//! Errors of the services after a submitted form, shown on the page of the form. The browser is redirected to that
//! page, whose query then names the error code, so that neither reloading nor going back submits the form again. A
//! query names only codes of a fixed set; `error_page` renders them and all other errors.

use axum::response::Response;

use super::{
    context::PageContext,
    location::{see_other, with_parameter},
    return_target::ReturnTarget,
};
use crate::{
    domain::{Code, Error},
    pipeline::fetch_site::is_same_origin,
};

/// Query parameter: the code of the error.
const REFUSED: &str = "refused";

/// The codes that a query may name; other errors are the response to the form itself.
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
        // Only with the browser's word that the form came from this origin, it is an expired form of this service.
        Code::CsrfMismatch if !is_same_origin(&context.parts.headers) => return None,
        code => code,
    };
    let word = REDIRECTED.contains(&code).then(|| code.as_str())?;
    let url = with_parameter(&context.base_page_url(), &format!("{REFUSED}={word}"));
    Some(see_other(&context.with_wait(&url, error.retry_after())))
}

/// The error that the query names. `None` once it no longer holds: after signing in, or after the waiting time.
pub(super) fn error_in_query(context: &PageContext) -> Option<Error> {
    let path = context.parts.uri.path();
    let word = context.query_param(REFUSED).filter(|_| ReturnTarget::containing(path).path() == path)?;
    let code = REDIRECTED.into_iter().find(|code| code.as_str() == word)?;
    let wait = context.remaining_wait();
    let has_passed = match code {
        Code::NoSession => context.find_caller().is_some(),
        _ => wait.is_some_and(|wait| wait.is_zero()),
    };
    let error = Error::new(code, "A form was refused.");
    (!has_passed).then(|| match wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    })
}
