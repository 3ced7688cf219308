//! The certificates of outgoing TLS connections, as the configuration names them and clients use them.

use crate::domain::secret::Secret;

/// The certificates of TLS connections to one server, as PEM.
#[derive(Clone, Debug, Default)]
pub struct OutgoingCertificates {
    /// The authorities that are trusted; without it, those of `SSL_CERT_FILE`, of the machine, or Mozilla's.
    pub authorities: Option<Vec<u8>>,
    /// What this service presents.
    pub client: Option<ClientCertificate>,
}

/// A certificate with its private key, as PEM.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    pub chain: Vec<u8>,
    pub key: Secret,
}
