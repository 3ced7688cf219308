//! The public URL. The issuer, absolute links, origin checks and the attributes of cookies derive from it.

use std::net::SocketAddr;

use url::{Host, Url};

use super::{
    mode::Mode,
    reader::Reader,
    settings::{CONSOLE_API_URL, CONSOLE_WEB_URL, COOKIE_DOMAIN},
};

/// The URLs at which browsers reach this server. They never come from a `Host` header.
#[derive(Clone, Debug)]
pub struct Urls {
    /// The origin of `CONSOLE_WEB_URL`, serialized as browsers do.
    console_web: String,
    /// Whether `console_web` derives from the address of the listener, as in `dev`.
    is_derived: bool,
    /// The origin of `CONSOLE_API_URL`; `None` if it is not given.
    console_api: Option<String>,
    pub cookie_domain: Option<String>,
}

impl Urls {
    /// `listen` is the address to derive the URL from if none is given.
    pub(super) fn read(reader: &mut Reader<'_>, mode: Mode, listen: Option<SocketAddr>) -> Self {
        let api_url = reader.http_url(&CONSOLE_API_URL);
        let api_is_given = reader.text(&CONSOLE_API_URL).is_some();
        let web_is_given = reader.text(&CONSOLE_WEB_URL).is_some();
        let is_given = web_is_given || (api_is_given && listen.is_none());
        // Each of the two defaults to the other, as in Dify.
        let url = reader.http_url(&CONSOLE_WEB_URL);
        let url = if web_is_given || listen.is_some() { url } else { api_url.clone() };
        if !is_given && listen.is_none() {
            reader.problem(
                &CONSOLE_WEB_URL,
                "is not set; set it to the URL people open in a browser, like https://dify.example.com",
            );
        }
        if let Some(url) = &url {
            check_console_web(reader, url, mode);
        }
        let cookie_domain = reader.text(&COOKIE_DOMAIN);
        if let (Some(domain), Some(url)) = (&cookie_domain, &url) {
            let bare = domain.trim_start_matches('.').to_ascii_lowercase();
            let host = url.host_str().unwrap_or_default();
            if host != bare && !host.ends_with(&format!(".{bare}")) {
                reader.problem(
                    &COOKIE_DOMAIN,
                    format_args!("is `{domain}`, which does not cover {host} of CONSOLE_WEB_URL; leave it empty"),
                );
            }
        }
        let console_api = api_url.map(|url| url.origin().ascii_serialization());
        let console_web = match (&url, listen) {
            (Some(url), _) => url.origin().ascii_serialization(),
            (None, Some(address)) => format!("http://{address}"),
            // A problem is recorded, so the value is not used.
            (None, None) => String::new(),
        };
        Self { console_web, is_derived: !is_given, console_api, cookie_domain }
    }

    /// Replaces a URL that derives from the listener by the bound address, which differs for port 0.
    pub fn bound_to(&mut self, address: SocketAddr) {
        if self.is_derived {
            self.console_web = format!("http://{address}");
        }
    }

    /// The public base URL without a final slash, which is also the OAuth issuer (RFC 8414 section 2).
    pub fn issuer(&self) -> &str {
        &self.console_web
    }

    /// Whether people reach the pages by https.
    pub fn is_https(&self) -> bool {
        self.console_web.starts_with("https://")
    }

    /// Whether cookies carry `Secure`: both URLs are https.
    pub fn is_secure(&self) -> bool {
        self.is_https() && self.api_url().starts_with("https://")
    }

    /// The base URL of the API without a final slash.
    pub fn api_url(&self) -> &str {
        self.console_api.as_deref().unwrap_or(&self.console_web)
    }

    /// The prefix of the console's cookies. Beside Dify it must equal Dify's, which treats an unset `CONSOLE_API_URL`
    /// as plain HTTP; standalone, no other program reads the cookies.
    pub fn cookie_prefix(&self, beside_dify: bool) -> &'static str {
        let is_known = !beside_dify || self.console_api.is_some();
        if self.is_secure() && is_known && self.cookie_domain.is_none() { "__Host-" } else { "" }
    }
}

fn check_console_web(reader: &mut Reader<'_>, url: &Url, mode: Mode) {
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        reader.problem(
            &CONSOLE_WEB_URL,
            "has a path, query or fragment; write scheme, host and port only, like https://dify.example.com",
        );
    }
    if url.scheme() == "http" && !is_loopback(url) && !mode.is_development() {
        reader.warning(&CONSOLE_WEB_URL, "is plain http, so cookies and tokens travel unencrypted; use https");
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
