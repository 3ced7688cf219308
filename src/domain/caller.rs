//! Who is behind a request, once the pipeline has let it in. Handlers read these from the request's extensions.

use std::{fmt, net::IpAddr};

use super::{
    account::Account,
    error::{Error, Result},
    id::BrowserSessionId,
    secret::TokenHash,
    session::TokenContext,
};

/// The bearer of a live token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What the token stands for.
    pub token: TokenContext,
    /// The token's hash, to end it.
    pub hash: TokenHash,
}

/// A person signed in with a browser.
#[derive(Clone, Debug)]
pub struct ConsoleCaller {
    /// Their account, active when the request came in.
    pub account: Account,
    /// The browser session; none beside Dify, which keeps no record of them.
    pub session: Option<BrowserSessionId>,
}

/// The address a request came from, behind trusted proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ClientAddress {
    /// What the edge has left in a request's extensions, where it stands for every request.
    pub fn required(resolved: Option<&Self>) -> Result<Self> {
        resolved.copied().ok_or_else(|| Error::internal("a request without an address"))
    }

    /// What limits by address are keyed with: IPv6 counts by /64.
    pub fn bucket(self) -> String {
        match self.0 {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}
