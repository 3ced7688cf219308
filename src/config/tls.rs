//! The TLS files of a listener, and of the client certificate. They are checked with the configuration, loaded at the
//! start, and loaded again when they change.

use std::{fs, io, path::PathBuf, sync::Arc};

use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};
use zeroize::Zeroizing;

use super::{reader::Reader, settings::Setting};

/// Paths of PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The leaf certificate, then its chain.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// The authorities of client certificates. With it, clients without a certificate are rejected.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// Reads the settings of one certificate, and loads the files once to check them.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        cert: &'static Setting,
        key: &'static Setting,
        client_ca: Option<&'static Setting>,
    ) -> Option<Self> {
        let ca = client_ca.and_then(|setting| reader.text(setting)).map(PathBuf::from);
        let files = match (reader.text(cert), reader.text(key)) {
            (None, None) => {
                if let (Some(setting), Some(_)) = (client_ca, ca) {
                    reader
                        .problem(setting, format_args!("is set without {cert} and {key}; set them too, or remove it"));
                }
                return None;
            }
            (Some(_), None) => {
                reader.problem(
                    key,
                    format_args!("is not set although {cert} is; set it to the PEM file of the private key"),
                );
                return None;
            }
            (None, Some(_)) => {
                reader.problem(
                    cert,
                    format_args!("is not set although {key} is; set it to the PEM file of the certificate"),
                );
                return None;
            }
            (Some(cert), Some(key)) => Self { cert: cert.into(), key: key.into(), client_ca: ca },
        };
        if let Err(error) = files.load() {
            let setting = match error.part {
                TlsFileKind::Certificate => cert,
                TlsFileKind::Key => key,
                TlsFileKind::ClientCa => client_ca.unwrap_or(cert),
            };
            reader.problem(setting, error);
        }
        Some(files)
    }

    /// Returns a TLS configuration that offers HTTP/2 and HTTP/1.1.
    pub fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let key = Arc::new(self.load_key()?);
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|cause| self.error(TlsFileKind::Certificate, &cause))?;
        let builder = match &self.client_ca {
            Some(path) => builder.with_client_cert_verifier(client_verifier(path, provider)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Returns the certificate chain with its key.
    pub(crate) fn load_key(&self) -> Result<CertifiedKey, TlsError> {
        let certs = read_certs(&self.cert, TlsFileKind::Certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|cause| self.error(TlsFileKind::Key, &cause))?;
        CertifiedKey::from_der(certs, key, &ring::default_provider())
            .map_err(|cause| self.error(TlsFileKind::Certificate, &cause))
    }

    /// A digest of the contents of all files, which changes when one is replaced.
    pub(crate) fn digest(&self) -> io::Result<[u8; 32]> {
        digest([Some(&self.cert), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten())
    }

    fn error(&self, part: TlsFileKind, cause: &dyn std::fmt::Display) -> TlsError {
        let path = match part {
            TlsFileKind::Key => &self.key,
            TlsFileKind::Certificate | TlsFileKind::ClientCa => &self.cert,
        };
        TlsError { part, path: path.clone(), cause: cause.to_string() }
    }
}

/// A digest of the contents of files.
pub(super) fn digest<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> io::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    for path in paths {
        let content = Zeroizing::new(fs::read(path)?);
        digest.update(content.len().to_le_bytes());
        digest.update(&*content);
    }
    Ok(digest.finalize().into())
}

/// The file that an error concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TlsFileKind {
    Certificate,
    Key,
    ClientCa,
}

/// A file that cannot be used for TLS.
#[derive(Debug, thiserror::Error)]
#[error("is {}, which cannot be used ({cause}); name a readable PEM file whose certificate and key belong together", path.display())]
pub struct TlsError {
    part: TlsFileKind,
    path: PathBuf,
    cause: String,
}

fn read_certs(path: &PathBuf, part: TlsFileKind) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |cause: String| TlsError { part, path: path.clone(), cause };
    let certs = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| error(cause.to_string()))?;
    if certs.is_empty() { Err(error("it contains no certificate".to_owned())) } else { Ok(certs) }
}

fn client_verifier(path: &PathBuf, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let error = |cause: String| TlsError { part: TlsFileKind::ClientCa, path: path.clone(), cause };
    let mut roots = RootCertStore::empty();
    for cert in read_certs(path, TlsFileKind::ClientCa)? {
        roots.add(cert).map_err(|cause| error(cause.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|cause| error(cause.to_string()))
}
