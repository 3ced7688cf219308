//! The authenticated party of a request. Handlers read these types from the request's extensions.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use chrono::{DateTime, Utc};

use super::{
    account::Account,
    error::{Error, Result},
    id::BrowserSessionId,
    secret::{Secret, TokenHash},
    session::TokenContext,
    user_code::UserCode,
};

/// The bearer of a live token.
#[derive(Clone, Debug)]
pub struct Caller {
    pub token: TokenContext,
    pub hash: TokenHash,
}

/// A person who is signed in with a browser.
#[derive(Clone, Debug)]
pub struct ConsoleCaller {
    /// Active when the request was authenticated.
    pub account: Account,
    /// `None` beside Dify, which has no records of browser sessions.
    pub session: Option<BrowserSessionId>,
}

/// An external identity that may decide about one device, by its cookie.
#[derive(Clone, Debug)]
pub struct GrantCaller {
    pub email: String,
    pub issuer: String,
    /// The code of the device.
    pub user_code: UserCode,
    /// Consumed by the approval.
    pub nonce: String,
    pub csrf_token: Secret,
    pub expires_at: DateTime<Utc>,
}

/// The client's address, behind trusted proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ClientAddress {
    /// The address from a request's extensions, where the HTTP edge writes it for every request.
    pub fn required(resolved: Option<&Self>) -> Result<Self> {
        resolved.copied().ok_or_else(|| Error::internal("a request without an address"))
    }

    /// The address itself, or the /64 network of an IPv6 address, of which one client may have all addresses.
    pub fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        }
    }

    /// The key of limits by address. IPv6 addresses count by /64.
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
