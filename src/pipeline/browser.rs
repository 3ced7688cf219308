//! Browser credentials: the session cookie, the CSRF token, and where the request says it comes from (contract section 6).

use http::{HeaderMap, HeaderValue, header::ORIGIN, request::Parts};

use super::{Pipeline, cookie, fetch_site::is_cross_site};
use crate::domain::{
    Code, Error, Result,
    caller::ConsoleCaller,
    secret::{Secret, constant_time_eq},
};

/// The CSRF token of a page's form, put into the extensions by the pages alone.
#[derive(Clone, Debug)]
pub struct FormCsrf(pub Secret);

impl Pipeline {
    /// The person at the browser: origin and CSRF first, since they cost nothing, but a missing session reads as such.
    pub(super) async fn browser(&self, parts: &Parts) -> Result<ConsoleCaller> {
        let access = cookie::find_in(&parts.headers, &self.settings.access_cookie).ok_or_else(no_session)?;
        let unsafe_verb = !parts.method.is_safe();
        if unsafe_verb {
            self.check_origin(&parts.headers)?;
            check_double_submit(parts, &self.settings.csrf_cookie)?;
        }
        let caller = self.console.authenticate(access).await?;
        if unsafe_verb {
            let token = cookie::find_in(&parts.headers, &self.settings.csrf_cookie).unwrap_or_default();
            if !self.console.csrf_holds(token, caller.account.id) {
                return Err(csrf_mismatch());
            }
        }
        Ok(caller)
    }

    /// An `Origin` that is present must be ours; absent, the CSRF token decides.
    pub(super) fn check_origin(&self, headers: &HeaderMap) -> Result<()> {
        let foreign_origin = headers
            .get_all(ORIGIN)
            .iter()
            .any(|origin| !self.settings.origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes()));
        if is_cross_site(headers) || foreign_origin { Err(csrf_mismatch()) } else { Ok(()) }
    }

    /// A browser that says it was sent by another site's page must have been sent by one that may call.
    pub(super) fn check_site(&self, headers: &HeaderMap) -> Result<()> {
        let Some(listed) = &self.settings.cross_origins else { return Ok(()) };
        let from = headers.get(ORIGIN).map(HeaderValue::as_bytes);
        let may_call = || listed.iter().any(|origin| Some(origin.as_bytes()) == from);
        if is_cross_site(headers) && !may_call() { Err(csrf_mismatch()) } else { Ok(()) }
    }
}

/// The cookie must be repeated where another site cannot write: a header, or a form field of our own pages.
pub fn check_double_submit(parts: &Parts, cookie_name: &str) -> Result<()> {
    let header = ["x-csrf-token", "x-csrftoken"].into_iter().find_map(|name| parts.headers.get(name)?.to_str().ok());
    let field = parts.extensions.get::<FormCsrf>().map(|form| form.0.expose());
    match (cookie::find_in(&parts.headers, cookie_name), header.or(field)) {
        (Some(cookie), Some(sent)) if !cookie.is_empty() && constant_time_eq(cookie.as_bytes(), sent.as_bytes()) => {
            Ok(())
        }
        _ => Err(csrf_mismatch()),
    }
}

/// Nobody is signed in.
pub fn no_session() -> Error {
    Error::new(Code::NoSession, "You are not signed in.").with_hint("Sign in first.")
}

/// The request did not prove that it came from our pages.
pub fn csrf_mismatch() -> Error {
    Error::new(Code::CsrfMismatch, "This request did not come from this site's own pages.")
        .with_hint("Reload the page and try again.")
}
