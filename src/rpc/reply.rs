//! What a handler says besides its message, as typed replies in the response's extensions: cookies, and whether a stream
//! is one.

use std::fmt::Write as _;

use chrono::TimeDelta;

use crate::service::console::Issued;

/// Marks a stream that is to be written as Server-Sent Events; without it its one message is the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streamed;

/// `Set-Cookie` values that the JSON door and the pages write out.
#[derive(Clone, Debug, Default)]
pub struct SetCookies(pub Vec<SetCookie>);

/// One `Set-Cookie` value. It carries a secret, so it does not print.
#[derive(Clone)]
pub struct SetCookie(String);

impl std::fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SetCookie(redacted)")
    }
}

impl SetCookie {
    /// The header's value.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// How cookies are named and scoped (contract section 6).
#[derive(Clone, Debug)]
pub struct CookieSettings {
    /// Only over https.
    pub secure: bool,
    /// `COOKIE_DOMAIN`; with it the `__Host-` prefix is not allowed.
    pub domain: Option<String>,
    /// Whether names carry the `__Host-` prefix.
    pub host_prefix: bool,
    /// Lifetime of the access and CSRF cookies.
    pub access_lifetime: TimeDelta,
    /// Lifetime of the refresh cookie.
    pub refresh_lifetime: TimeDelta,
}

/// The access cookie's base name.
pub(crate) const ACCESS_TOKEN: &str = "access_token";
/// The CSRF cookie's base name.
pub(crate) const CSRF_TOKEN: &str = "csrf_token";
/// The refresh cookie's base name.
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";

impl CookieSettings {
    /// A cookie's full name.
    pub fn name(&self, base: &str) -> String {
        if self.host_prefix { format!("__Host-{base}") } else { base.to_owned() }
    }

    /// One cookie; `max_age` `None` lets it end with the browser.
    pub fn cookie(&self, base: &str, value: &str, max_age: Option<TimeDelta>, http_only: bool) -> SetCookie {
        let mut text = format!("{}={value}; Path=/; SameSite=Lax", self.name(base));
        if let Some(age) = max_age {
            let _ = write!(text, "; Max-Age={}", age.num_seconds().max(0));
        }
        if let Some(domain) = &self.domain {
            text.push_str("; Domain=");
            text.push_str(domain);
        }
        if http_only {
            text.push_str("; HttpOnly");
        }
        if self.secure {
            text.push_str("; Secure");
        }
        SetCookie(text)
    }

    /// The cookies of a session just issued. The CSRF cookie is readable by scripts, as the header repeats it.
    pub fn issued(&self, issued: &Issued) -> SetCookies {
        let age = |lifetime: TimeDelta| issued.remember.then_some(lifetime);
        SetCookies(vec![
            self.cookie(ACCESS_TOKEN, issued.access_token.expose(), age(self.access_lifetime), true),
            self.cookie(CSRF_TOKEN, issued.csrf_token.expose(), age(self.access_lifetime), false),
            self.cookie(REFRESH_TOKEN, issued.refresh_token.expose(), age(self.refresh_lifetime), true),
        ])
    }

    /// The same cookies, gone.
    pub fn cleared(&self) -> SetCookies {
        let gone = Some(TimeDelta::zero());
        SetCookies(vec![
            self.cookie(ACCESS_TOKEN, "", gone, true),
            self.cookie(CSRF_TOKEN, "", gone, false),
            self.cookie(REFRESH_TOKEN, "", gone, true),
        ])
    }
}
