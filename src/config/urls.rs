//! The public URL: the issuer, every absolute link, the Origin checks and the cookies' attributes derive from it.

use std::net::SocketAddr;

use url::{Host, Url};

use super::{mode::Mode, reader::Reader};

/// The URLs people and browsers reach this server under; never taken from a request's Host header.
#[derive(Clone, Debug)]
pub struct Urls {
    /// The origin of `CONSOLE_WEB_URL` as browsers write it.
    console_web: String,
    /// Whether it was made up from the listening address, as `dev` does.
    assumed: bool,
    /// `CONSOLE_API_URL`, which only decides cookie names beside Dify.
    console_api: Option<Url>,
    /// `COOKIE_DOMAIN`.
    pub cookie_domain: Option<String>,
}

impl Urls {
    /// Reads the section. `listen` is where `dev` will listen, when it is `dev`.
    pub(super) fn read(reader: &mut Reader<'_>, mode: Mode, listen: Option<SocketAddr>) -> Self {
        const NAME: &str = "CONSOLE_WEB_URL";
        let given = reader.text(NAME).is_some();
        let url = reader.http_url(NAME);
        if !given && listen.is_none() {
            reader
                .problem(NAME, "is not set; set it to the URL people open in a browser, like https://dify.example.com");
        }
        if let Some(url) = &url {
            check_console_web(reader, url, mode);
        }
        let assumed = !given;
        let cookie_domain = reader.text("COOKIE_DOMAIN");
        if let (Some(domain), Some(url)) = (&cookie_domain, &url) {
            let bare = domain.trim_start_matches('.').to_ascii_lowercase();
            let host = url.host_str().unwrap_or_default();
            if host != bare && !host.ends_with(&format!(".{bare}")) {
                reader.problem(
                    "COOKIE_DOMAIN",
                    format_args!("is `{domain}`, which does not cover {host} of CONSOLE_WEB_URL; leave it empty"),
                );
            }
        }
        let console_api = reader.http_url("CONSOLE_API_URL");
        let console_web = match (&url, listen) {
            (Some(url), _) => url.origin().ascii_serialization(),
            (None, Some(address)) => format!("http://{address}"),
            // A problem is noted already, so nobody will see this.
            (None, None) => String::new(),
        };
        Self { console_web, assumed, console_api, cookie_domain }
    }

    /// Puts the bound address in place when the URL was made up from it, so that port 0 works in `dev`.
    pub fn bound_to(&mut self, address: SocketAddr) {
        if self.assumed {
            self.console_web = format!("http://{address}");
        }
    }

    /// The public base URL, without a slash at its end. Also the OAuth issuer (RFC 8414 section 2).
    pub fn issuer(&self) -> &str {
        &self.console_web
    }

    /// Whether cookies carry `Secure`.
    pub fn is_secure(&self) -> bool {
        self.console_web.starts_with("https://")
    }

    /// What the names of the console's cookies begin with. Beside Dify they must be Dify's, which counts an unset
    /// `CONSOLE_API_URL` as plain http; standalone nobody else reads them.
    pub fn cookie_prefix(&self, beside_dify: bool) -> &'static str {
        let api = self.console_api.as_ref().map_or(!beside_dify, |url| url.scheme() == "https");
        if self.is_secure() && api && self.cookie_domain.is_none() { "__Host-" } else { "" }
    }

    /// `CONSOLE_API_URL`.
    pub fn console_api(&self) -> Option<&Url> {
        self.console_api.as_ref()
    }
}

fn check_console_web(reader: &mut Reader<'_>, url: &Url, mode: Mode) {
    const NAME: &str = "CONSOLE_WEB_URL";
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        reader.problem(
            NAME,
            "has a path, query or fragment; write scheme, host and port only, like https://dify.example.com",
        );
    }
    if url.scheme() == "http" && !is_loopback(url) && !mode.is_development() {
        reader.warning(NAME, "is plain http, so cookies and tokens travel unencrypted; use https");
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
