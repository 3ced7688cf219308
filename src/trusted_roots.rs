//! The certificate authorities that outgoing TLS connections trust.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio_rustls::rustls::{RootCertStore, pki_types::CertificateDer};

/// Characters of a line of PEM (RFC 7468 section 2).
const PEM_LINE: usize = 64;

/// Certificates of authorities. Empty on an image without certificates, where Mozilla's apply, which are compiled in.
#[derive(Clone, Debug, Default)]
pub struct TrustedRoots(Vec<CertificateDer<'static>>);

impl TrustedRoots {
    /// The certificates of a file and of directories that are separated by colons, or those of the machine without
    /// either. Leaves out what is not the certificate of an authority.
    pub(crate) fn load(file: Option<&Path>, directories: Option<&Path>) -> Self {
        let mut found = Vec::new();
        if file.is_none() && directories.is_none() {
            found = rustls_native_certs::load_native_certs().certs;
        }
        if file.is_some() {
            found.extend(rustls_native_certs::load_certs_from_paths(file, None).certs);
        }
        for directory in directories.into_iter().flat_map(std::env::split_paths) {
            found.extend(rustls_native_certs::load_certs_from_paths(None, Some(&directory)).certs);
        }
        found.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        Self(found)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The authorities for rustls.
    pub(crate) fn store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(self.0.iter().cloned());
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        store
    }

    /// The authorities as PEM, or `None` where Mozilla's apply.
    pub(crate) fn pem(&self) -> Option<Vec<u8>> {
        let mut pem = String::new();
        for certificate in &self.0 {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            let encoded = STANDARD.encode(certificate);
            let mut rest = encoded.as_str();
            while !rest.is_empty() {
                let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
                pem.push_str(line);
                pem.push('\n');
                rest = after;
            }
            pem.push_str("-----END CERTIFICATE-----\n");
        }
        (!pem.is_empty()).then(|| pem.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_of_a_file_replace_those_of_the_machine() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap();
        std::fs::write(&path, certificate.pem()).unwrap();
        let roots = TrustedRoots::load(Some(&path), None);
        assert_eq!(roots.store().len(), 1);
        let again = directory.path().join("again.pem");
        std::fs::write(&again, roots.pem().unwrap()).unwrap();
        assert_eq!(TrustedRoots::load(Some(&again), None).0, [certificate.der().clone()]);
    }

    #[test]
    fn authorities_of_mozilla_apply_where_there_are_none() {
        let roots = TrustedRoots::load(Some(Path::new("/nonexistent")), None);
        assert!(roots.is_empty() && roots.pem().is_none() && !roots.store().is_empty());
    }
}
