//! HTTP requests that apps send, to wherever their authors please: so nowhere near this machine or its network.
//!
//! Every address a name resolves to is checked, the connection goes to the very address that was checked, and a redirect is a new
//! request with everything checked again. What comes back is bounded in size and in time.

mod address;

use ipnet::IpNet;

pub use address::{Refusal, permitted};

/// Sends requests for apps.
#[derive(Debug)]
pub struct Outbound {
    allowed: Vec<IpNet>,
}

impl Outbound {
    /// Sends requests to public addresses, and to those of these networks.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether a request may go to this address.
    pub fn permits(&self, address: std::net::IpAddr) -> Result<(), Refusal> {
        permitted(address, &self.allowed)
    }
}
