//! Where and with what a request was sent: for the beginning and the last use of sessions.

use super::{caller::ClientAddress, text::is_unprintable};

/// Limit of a user agent, in characters.
pub(crate) const MAX_USER_AGENT: usize = 255;

/// The address and the user agent of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestOrigin {
    pub address: ClientAddress,
    pub user_agent: Option<String>,
}

impl RequestOrigin {
    pub fn new(address: ClientAddress, user_agent: Option<&str>) -> Self {
        Self { address, user_agent: user_agent.map(printable_user_agent) }
    }
}

/// The printable characters of a user agent, up to the limit.
pub(crate) fn printable_user_agent(user_agent: &str) -> String {
    user_agent.chars().filter(|symbol| !is_unprintable(*symbol)).take(MAX_USER_AGENT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agent_is_printable_and_bounded() {
        assert_eq!(printable_user_agent("curl/8\u{1b}[1m\u{202e}"), "curl/8[1m");
        assert_eq!(printable_user_agent(&"ü".repeat(300)).chars().count(), MAX_USER_AGENT);
    }
}
