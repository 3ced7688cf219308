//! Browser credentials: session cookie, CSRF token, and the origin of the request (contract section 6).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header::ORIGIN, request::Parts};

use super::{cookie, fetch_site::is_cross_site, settings::PipelineSettings};
use crate::{
    domain::{
        Code, Error, Result,
        caller::ConsoleCaller,
        secret::{Secret, constant_time_eq},
    },
    service::console::Console,
};

/// The CSRF token of a page's form. Only the pages put it into the extensions.
#[derive(Clone, Debug)]
pub struct FormCsrf(pub Secret);

/// Authenticates browser requests.
pub(super) struct BrowserGate {
    console: Console,
    settings: Arc<PipelineSettings>,
}

impl BrowserGate {
    pub(super) fn new(console: Console, settings: Arc<PipelineSettings>) -> Self {
        Self { console, settings }
    }

    /// Checks origin and CSRF token first, since they cost nothing. A missing session is reported before both.
    pub(super) async fn authenticate(&self, parts: &Parts) -> Result<ConsoleCaller> {
        let access = cookie::find_in(&parts.headers, &self.settings.access_cookie).ok_or_else(no_session)?;
        let is_unsafe = !parts.method.is_safe();
        if is_unsafe {
            self.check_origin(&parts.headers)?;
            check_double_submit(parts, &self.settings.csrf_cookie)?;
        }
        let caller = self.console.authenticate(access).await?;
        if is_unsafe {
            let token = cookie::find_in(&parts.headers, &self.settings.csrf_cookie).unwrap_or_default();
            if !self.console.csrf_holds(token, caller.account.id) {
                return Err(csrf_mismatch());
            }
        }
        Ok(caller)
    }

    /// The caller of a valid session; an invalid session counts as none.
    pub(super) async fn find_caller(&self, headers: &HeaderMap) -> Result<Option<ConsoleCaller>> {
        let Some(token) = cookie::find_in(headers, &self.settings.access_cookie) else { return Ok(None) };
        match self.console.authenticate(token).await {
            Ok(caller) => Ok(Some(caller)),
            Err(error) if error.code() == Code::InvalidSession => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An `Origin` header must name one of our own origins. Without the header the CSRF token decides.
    pub(super) fn check_origin(&self, headers: &HeaderMap) -> Result<()> {
        let foreign_origin = headers
            .get_all(ORIGIN)
            .iter()
            .any(|origin| !self.settings.origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes()));
        if is_cross_site(headers) || foreign_origin { Err(csrf_mismatch()) } else { Ok(()) }
    }

    /// A cross-site request must come from an origin that may call.
    pub(super) fn check_site(&self, headers: &HeaderMap) -> Result<()> {
        let Some(listed) = &self.settings.cross_origins else { return Ok(()) };
        let from = headers.get(ORIGIN).map(HeaderValue::as_bytes);
        let may_call = || listed.iter().any(|origin| Some(origin.as_bytes()) == from);
        if is_cross_site(headers) && !may_call() { Err(csrf_mismatch()) } else { Ok(()) }
    }
}

/// The cookie must be repeated where another site cannot write: in a header, or in a form field of our own pages.
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

pub fn no_session() -> Error {
    Error::new(Code::NoSession, "You are not signed in.").with_hint("Sign in first.")
}

pub fn csrf_mismatch() -> Error {
    Error::new(Code::CsrfMismatch, "This request did not come from this site's own pages.")
        .with_hint("Reload the page and try again.")
}
