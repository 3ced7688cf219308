//! The catalog of this deployment (contract section C3), generated from the protos.

use bytes::Bytes;

use crate::domain::secret::sha256_hex;

/// The header that carries the version of a catalog: the client's in requests, the server's in responses.
pub(crate) const CATALOG_HEADER: &str = "x-dify-catalog";

/// The catalogs of the community and of the Enterprise edition, each beside Dify and standalone.
const DOCUMENTS: [[&str; 2]; 2] = [
    [
        include_str!(concat!(env!("OUT_DIR"), "/catalog_beside_dify.json")),
        include_str!(concat!(env!("OUT_DIR"), "/catalog_standalone.json")),
    ],
    [
        include_str!(concat!(env!("OUT_DIR"), "/catalog_beside_dify_enterprise.json")),
        include_str!(concat!(env!("OUT_DIR"), "/catalog_standalone_enterprise.json")),
    ],
];

/// The operations that a client can call, and their version.
#[derive(Clone, Debug)]
pub struct Catalog {
    document: &'static str,
    version: String,
}

impl Catalog {
    /// The catalog of an edition and a kind of deployment.
    pub(crate) fn new(enterprise: bool, standalone: bool) -> Self {
        let document = DOCUMENTS[usize::from(enterprise)][usize::from(standalone)];
        Self { document, version: sha256_hex(document.as_bytes()) }
    }

    /// The canonical JSON.
    pub(crate) fn document(&self) -> Bytes {
        Bytes::from_static(self.document.as_bytes())
    }

    /// SHA-256 of the document in lower-case hex.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }
}
