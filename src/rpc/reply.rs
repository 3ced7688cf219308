//! The parts of a handler's response besides its message, as extensions: cookies, and whether it is a stream.

use std::fmt::Write as _;

use chrono::TimeDelta;
use tonic::Response;

use crate::{
    domain::{
        cookie::{APPROVAL_GRANT, DEVICE_OUTCOME},
        secret::Secret,
    },
    service::{console::Issued, setup::PROOF_LIFETIME},
};

/// Marks a response that is written as Server-Sent Events. Without it the first message is the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streamed;

/// How a call has ended that has not simply succeeded. Over gRPC, its message says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyStatus {
    /// It has created something.
    Created,
    /// It has deleted something, and there is nothing to say about it: over JSON, the response has no body.
    Deleted,
    /// It waits for a confirmation.
    Accepted,
    /// It has failed, and the message says why.
    Rejected,
}

/// The `result` of calls that return nothing else, as in Dify.
pub(super) fn success() -> String {
    "success".to_owned()
}

/// The response of a call that has created something.
pub(super) fn created<T>(message: T) -> Response<T> {
    let mut response = Response::new(message);
    response.extensions_mut().insert(ReplyStatus::Created);
    response
}

/// The address of a response that is a redirect. Its message is not written.
#[derive(Clone, Debug)]
pub(crate) struct Redirect(pub String);

/// The entity tag of a response (RFC 9110 section 8.8.3), which clients may keep as long as they check it each time.
#[derive(Clone, Debug)]
pub(crate) struct EntityTag {
    /// Quoted.
    pub tag: String,
    /// Whether the client has this version, so that the response needs no body.
    pub is_known: bool,
}

impl EntityTag {
    /// The tag of a version. `If-None-Match` compares weakly (RFC 9110 section 13.1.2).
    pub(super) fn new<T>(version: &str, request: &tonic::Request<T>) -> Self {
        let tag = format!("\"{version}\"");
        let known = request.metadata().get_all("if-none-match");
        let known = known.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let is_known =
            known.map(|known| known.trim().trim_start_matches("W/")).any(|known| known == "*" || known == tag);
        Self { tag, is_known }
    }
}

/// `Set-Cookie` values for the JSON door and the pages.
#[derive(Clone, Debug, Default)]
pub struct SetCookies(pub Vec<SetCookie>);

/// A `Set-Cookie` value. It contains a secret and has no `Display`.
#[derive(Clone)]
pub struct SetCookie(String);

impl std::fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SetCookie(redacted)")
    }
}

impl SetCookie {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Names and scopes of cookies (contract section 6).
#[derive(Clone, Debug)]
pub struct CookieSettings {
    /// Whether cookies are sent over https only.
    pub secure: bool,
    /// `COOKIE_DOMAIN`. It excludes the `__Host-` prefix.
    pub domain: Option<String>,
    /// Whether names have the `__Host-` prefix.
    pub host_prefix: bool,
    /// Lifetime of the access and CSRF cookies.
    pub access_lifetime: TimeDelta,
    /// Lifetime of the refresh cookie.
    pub refresh_lifetime: TimeDelta,
}

pub(crate) const ACCESS_TOKEN: &str = "access_token";
pub(crate) const CSRF_TOKEN: &str = "csrf_token";
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
/// The base name of the cookie that names the accounts which signed in with the browser.
pub(crate) const KNOWN_BROWSER: &str = "known_browser";
/// Lifetime of that cookie. It gives no access, only attempts of its own at the sign-in.
const KNOWN_BROWSER_LIFETIME: TimeDelta = TimeDelta::days(365);
/// The name of the cookie that binds sign-ins at an identity provider to the browser.
pub(crate) const SSO_MARKS: &str = "sso_state";
/// The lifetime of the state of a sign-in.
const SSO_MARKS_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// The name of the cookie that binds authorizations at third-party services to the browser (Dify's).
pub(crate) const CONNECTION_CONTEXT: &str = "context_id";
/// The lifetime of the state of an authorization.
const CONNECTION_CONTEXT_LIFETIME: TimeDelta = TimeDelta::seconds(300);
/// The name of the cookie that proves that `INIT_PASSWORD` was given.
pub(crate) const INIT_PROOF: &str = "init_validated";
/// The paths of the setup.
const CONSOLE_PATH: &str = "/console/api";
/// The path of the callbacks of connections.
const CONNECTION_PATH: &str = "/console/api/oauth/plugin";
const GRANT_LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// The time for which the page of an outcome names the device and can end its session.
const OUTCOME_LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// The path of the pages of an outcome.
const OUTCOME_PATH: &str = "/openapi/v1/oauth/device/done";
/// The path of the routes of the device flow.
const DEVICE_PATH: &str = "/openapi/v1/oauth/device";

impl CookieSettings {
    pub fn name(&self, base: &str) -> String {
        if self.host_prefix { format!("__Host-{base}") } else { base.to_owned() }
    }

    /// Without `max_age` the cookie ends with the browser session.
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

    /// The cookie with which an external identity decides about one device. Dify reads it under the same name.
    pub(crate) fn grant(&self, value: &Secret) -> SetCookie {
        self.device_cookie(APPROVAL_GRANT, value.expose(), GRANT_LIFETIME)
    }

    pub(crate) fn cleared_grant(&self) -> SetCookie {
        self.device_cookie(APPROVAL_GRANT, "", TimeDelta::zero())
    }

    /// The cookie with the outcome of that decision, for the page that shows it.
    pub(crate) fn outcome(&self, value: &Secret) -> SetCookie {
        self.path_cookie(DEVICE_OUTCOME, value.expose(), OUTCOME_LIFETIME, OUTCOME_PATH)
    }

    /// The cookie that binds sign-ins at an identity provider to the browser.
    pub(crate) fn sso_marks(&self, value: &Secret) -> SetCookie {
        self.device_cookie(SSO_MARKS, value.expose(), SSO_MARKS_LIFETIME)
    }

    /// The cookie that binds authorizations at third-party services to the browser, for their callbacks only.
    pub(crate) fn connection_context(&self, value: &Secret) -> SetCookie {
        let secure = if self.secure { "; Secure" } else { "" };
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let (name, age) = (CONNECTION_CONTEXT, CONNECTION_CONTEXT_LIFETIME.num_seconds());
        let value = value.expose();
        SetCookie(format!(
            "{name}={value}; Path={CONNECTION_PATH}; SameSite=Lax; Max-Age={age}; HttpOnly{domain}{secure}"
        ))
    }

    /// The cookie that proves that `INIT_PASSWORD` was given, for the routes of the console.
    pub(crate) fn init_proof(&self, value: &Secret) -> SetCookie {
        let secure = if self.secure { "; Secure" } else { "" };
        let (value, age) = (value.expose(), PROOF_LIFETIME.num_seconds());
        SetCookie(format!("{INIT_PROOF}={value}; Path={CONSOLE_PATH}; SameSite=Lax; Max-Age={age}; HttpOnly{secure}"))
    }

    /// A cookie of this host for the routes of the device flow only, without a prefix, which would require all paths.
    fn device_cookie(&self, name: &str, value: &str, max_age: TimeDelta) -> SetCookie {
        self.path_cookie(name, value, max_age, DEVICE_PATH)
    }

    fn path_cookie(&self, name: &str, value: &str, max_age: TimeDelta, path: &str) -> SetCookie {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = max_age.num_seconds();
        SetCookie(format!("{name}={value}; Path={path}; SameSite=Lax; Max-Age={age}; HttpOnly{secure}"))
    }

    /// The cookies of an issued session. Scripts may read the CSRF cookie, because they repeat it in a header.
    pub fn issued(&self, issued: &Issued) -> SetCookies {
        let age = |lifetime: TimeDelta| issued.remember.then_some(lifetime);
        let mut cookies = vec![
            self.cookie(ACCESS_TOKEN, issued.access_token.expose(), age(self.access_lifetime), true),
            self.cookie(CSRF_TOKEN, issued.csrf_token.expose(), age(self.access_lifetime), false),
            self.cookie(REFRESH_TOKEN, issued.refresh_token.expose(), age(self.refresh_lifetime), true),
        ];
        if let Some(known_browser) = &issued.known_browser {
            cookies.push(self.cookie(KNOWN_BROWSER, known_browser.expose(), Some(KNOWN_BROWSER_LIFETIME), true));
        }
        SetCookies(cookies)
    }

    /// Cookies that delete those of a session.
    pub fn cleared(&self) -> SetCookies {
        let gone = Some(TimeDelta::zero());
        SetCookies(vec![
            self.cookie(ACCESS_TOKEN, "", gone, true),
            self.cookie(CSRF_TOKEN, "", gone, false),
            self.cookie(REFRESH_TOKEN, "", gone, true),
        ])
    }
}
