//! The cookie of an approval by an external identity, with its CSRF token (contract E3).

use http::request::Parts;

use super::{
    browser::{FormCsrf, csrf_mismatch, no_session},
    cookie,
};
use crate::{
    domain::{Result, caller::GrantCaller, cookie::APPROVAL_GRANT, secret::constant_time_eq},
    service::{console::invalid_session, single_sign_on::SingleSignOn},
};

/// Authenticates external identities.
pub(super) struct GrantGate {
    single_sign_on: SingleSignOn,
}

impl GrantGate {
    pub(super) fn new(single_sign_on: SingleSignOn) -> Self {
        Self { single_sign_on }
    }

    /// The caller of a valid cookie, whose CSRF token an unsafe method has to repeat. The caller checks the origin.
    pub(super) fn authenticate(&self, parts: &Parts) -> Result<GrantCaller> {
        let is_safe = parts.method.is_safe();
        let missing = if is_safe { no_session } else { invalid_session };
        let caller = self.find_caller(parts).ok_or_else(missing)?;
        if is_safe || repeats_csrf_token(parts, &caller) { Ok(caller) } else { Err(csrf_mismatch()) }
    }

    /// The caller of a valid cookie if the request also repeats its CSRF token.
    pub(super) fn find_confirmed_caller(&self, parts: &Parts) -> Option<GrantCaller> {
        self.find_caller(parts).filter(|caller| repeats_csrf_token(parts, caller))
    }

    fn find_caller(&self, parts: &Parts) -> Option<GrantCaller> {
        self.single_sign_on.find_grant_caller(cookie::find_in(&parts.headers, APPROVAL_GRANT)?)
    }
}

/// Whether a header or a field of our own form repeats the token.
fn repeats_csrf_token(parts: &Parts, caller: &GrantCaller) -> bool {
    let header = ["x-csrf-token", "x-csrftoken"].into_iter().find_map(|name| parts.headers.get(name)?.to_str().ok());
    let field = parts.extensions.get::<FormCsrf>().map(|form| form.0.expose());
    header.or(field).is_some_and(|sent| constant_time_eq(sent.as_bytes(), caller.csrf_token.expose().as_bytes()))
}
