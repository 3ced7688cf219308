//! The certificates of outgoing connections: whom they trust, and what they present.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio_rustls::rustls::{
    self,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};

use super::{
    reader::Reader,
    settings::{self, Setting},
    tls,
};
use crate::{
    domain::secret::Secret,
    ports::outgoing_certificates::{ClientCertificate, OutgoingCertificates},
    trusted_roots::TrustedRoots,
};

/// Paths of PEM files, which are loaded again when they change.
#[derive(Clone, Debug, Default)]
pub struct CertificateFiles {
    authorities: Option<PathBuf>,
    /// The certificate with its chain, and the key.
    client: Option<(PathBuf, PathBuf)>,
}

impl CertificateFiles {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.authorities.iter().chain(self.client.iter().flat_map(|(chain, key)| [chain, key]))
    }

    /// The file after which messages name them. `None` without files.
    pub(crate) fn first(&self) -> Option<&Path> {
        self.paths().next().map(PathBuf::as_path)
    }

    /// A digest of the contents of all files, which changes when one is replaced.
    pub(crate) fn digest(&self) -> io::Result<[u8; 32]> {
        tls::digest(self.paths())
    }

    /// The error says what is wrong with a file.
    pub(crate) fn load(&self) -> Result<OutgoingCertificates, String> {
        let authorities = self.authorities.as_deref().map(load_pem).transpose()?;
        let client = match &self.client {
            Some((chain, key)) => {
                let client = ClientCertificate { chain: load_pem(chain)?, key: load_key(key)? };
                check_key(&client).map_err(|error| error.to_string())?;
                Some(client)
            }
            None => None,
        };
        Ok(OutgoingCertificates { authorities, client })
    }
}

/// Reads `SSL_CERT_FILE` and `SSL_CERT_DIR`. Without them, the machine's certificates.
pub(super) fn read_trusted_roots(reader: &mut Reader<'_>) -> TrustedRoots {
    let (file, directory) = (reader.text(&settings::SSL_CERT_FILE), reader.text(&settings::SSL_CERT_DIR));
    if let Some(path) = &file {
        read_pem(reader, &settings::SSL_CERT_FILE, path);
    }
    let directory = directory.as_deref().map(Path::new);
    if directory.is_some() && TrustedRoots::load(None, directory).is_empty() {
        reader.problem(
            &settings::SSL_CERT_DIR,
            "has no file with the certificate of an authority; add one as PEM, or remove the setting",
        );
    }
    TrustedRoots::load(file.as_deref().map(Path::new), directory)
}

/// Reads Dify's `REDIS_SSL_…` settings. They have no effect on connections without TLS, as in Dify.
pub(super) fn read_redis_certificates(
    reader: &mut Reader<'_>,
    uses_tls: bool,
) -> (OutgoingCertificates, CertificateFiles) {
    let requirement = reader.text(&settings::REDIS_SSL_CERT_REQS).unwrap_or_default();
    let paths = [&settings::REDIS_SSL_CA_CERTS, &settings::REDIS_SSL_CERTFILE, &settings::REDIS_SSL_KEYFILE]
        .map(|setting| reader.text(setting).map(|path| (setting, path)));
    if !uses_tls {
        if let Some((setting, _)) = paths.iter().flatten().next() {
            reader.warning(
                setting,
                "has no effect without TLS; set REDIS_USE_SSL=true or begin REDIS_URL with rediss://",
            );
        }
        return Default::default();
    }
    let [authorities, chain, key] = paths.map(|named| named.map(|(_, path)| PathBuf::from(path)));
    match requirement.to_ascii_uppercase().as_str() {
        "CERT_REQUIRED" | "CERT_OPTIONAL" => {}
        "CERT_NONE" => reader.problem(
            &settings::REDIS_SSL_CERT_REQS,
            "is CERT_NONE, which would accept any certificate; remove it, and name the authority of Redis' certificate \
             in REDIS_SSL_CA_CERTS",
        ),
        _ => reader.problem(
            &settings::REDIS_SSL_CERT_REQS,
            format_args!("is `{requirement}`; set it to CERT_REQUIRED, or remove it"),
        ),
    }
    let names = [&settings::REDIS_SSL_CA_CERTS, &settings::REDIS_SSL_CERTFILE, &settings::REDIS_SSL_KEYFILE];
    (read_files(reader, names), CertificateFiles { authorities, client: chain.zip(key) })
}

/// Reads the files that three settings name: of authorities, of a client's certificate, and of its key.
pub(super) fn read_files(reader: &mut Reader<'_>, names: [&'static Setting; 3]) -> OutgoingCertificates {
    let [authorities, chain, key] = names.map(|setting| reader.text(setting).map(|path| (setting, path)));
    let authorities = authorities.and_then(|(setting, path)| read_pem(reader, setting, &path));
    let client = match (chain, key) {
        (Some((chain_setting, chain)), Some((key_setting, key))) => {
            let files = read_pem(reader, chain_setting, &chain).zip(read_key(reader, key_setting, &key));
            let client = files.map(|(chain, key)| ClientCertificate { chain, key });
            if let Some(Err(error)) = client.as_ref().map(check_key) {
                reader
                    .problem(key_setting, format_args!("does not fit to {chain_setting} ({error}); name its own key"));
            }
            client
        }
        (None, None) => None,
        (chain, _) => {
            let [_, chain_setting, key_setting] = names;
            let missing = if chain.is_some() { key_setting } else { chain_setting };
            reader.problem(
                missing,
                format_args!("is not set; a client certificate needs {chain_setting} and {key_setting}"),
            );
            None
        }
    };
    OutgoingCertificates { authorities, client }
}

fn read_pem(reader: &mut Reader<'_>, setting: &'static Setting, path: &str) -> Option<Vec<u8>> {
    load_pem(Path::new(path)).map_err(|error| unusable(reader, setting, path, &error)).ok()
}

fn read_key(reader: &mut Reader<'_>, setting: &'static Setting, path: &str) -> Option<Secret> {
    load_key(Path::new(path)).map_err(|error| unusable(reader, setting, path, &error)).ok()
}

/// The content of a PEM file with at least one certificate.
fn load_pem(path: &Path) -> Result<Vec<u8>, String> {
    let content = std::fs::read(path).map_err(|error| error.to_string())?;
    let certificates = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("it contains no certificate".to_owned()),
        Ok(_) => Ok(content),
        Err(error) => Err(error.to_string()),
    }
}

fn load_key(path: &Path) -> Result<Secret, String> {
    let secret = Secret::new(std::fs::read_to_string(path).map_err(|error| error.to_string())?);
    PrivateKeyDer::from_pem_slice(secret.expose().as_bytes()).map_err(|error| error.to_string())?;
    Ok(secret)
}

/// Checks that the key belongs to the certificate.
fn check_key(client: &ClientCertificate) -> Result<(), rustls::Error> {
    let parsed = |error: pem::Error| rustls::Error::General(error.to_string());
    let chain = CertificateDer::pem_slice_iter(&client.chain).collect::<Result<_, _>>().map_err(parsed)?;
    let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes()).map_err(parsed)?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map(|_| ())
}

fn unusable(reader: &mut Reader<'_>, setting: &'static Setting, path: &str, error: &str) {
    reader.problem(setting, format_args!("is {path}, which cannot be used ({error}); name a readable PEM file"));
}
