//! A private certificate authority.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Issues certificates for `localhost` and 127.0.0.1, and keeps its own in a file.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

/// PEM of a certificate and of its key.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        // OpenSSL takes a certificate whose subject is its issuer for a self-signed one.
        parameters.distinguished_name.push(DnType::CommonName, "private authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    /// The file of its own certificate.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    pub fn issue(&self) -> Issued {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Issues a certificate, and returns the files of the certificate and of its key.
    pub fn issue_files(&self, name: &str) -> [PathBuf; 2] {
        let issued = self.issue();
        let write = |kind: &str, content: &str| {
            let path = self.directory.path().join(format!("{name}.{kind}.pem"));
            std::fs::write(&path, content).unwrap();
            path
        };
        [write("cert", &issued.certificate), write("key", &issued.key)]
    }
}

/// A path as the value of a variable.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
