//! Loads the TLS files of the listeners, of the client certificate and of Redis again when they change, so that renewed
//! certificates need no restart.

use std::{io, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_rustls::rustls::{ServerConfig, sign::CertifiedKey};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{client_certificates::CertificateFiles, tls::TlsFiles},
    domain::{Error, Result},
    ports::outgoing_certificates::OutgoingCertificates,
};

/// How often the files are compared. Renewals happen days before a certificate expires.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(30);

type Digest = [u8; 32];

/// TLS files, and what was loaded from them: the configuration of a listener, or certificates that clients present.
pub(super) struct ReloadableTls<T> {
    /// The file after which messages name all of them.
    name: String,
    digest_files: Box<dyn Fn() -> io::Result<Digest> + Send + Sync>,
    load: Box<dyn Fn() -> Result<Arc<T>, String> + Send + Sync>,
    /// Of the files that were read last.
    digest: Mutex<Digest>,
    current: watch::Sender<Arc<T>>,
}

impl ReloadableTls<ServerConfig> {
    pub(super) fn load_listener(files: &TlsFiles) -> Result<Self> {
        Self::of_tls_files(files, |files| files.load().map_err(|error| error.to_string()))
    }
}

impl ReloadableTls<CertifiedKey> {
    pub(super) fn load_key(files: &TlsFiles) -> Result<Self> {
        Self::of_tls_files(files, |files| files.load_key().map(Arc::new).map_err(|error| error.to_string()))
    }
}

impl ReloadableTls<OutgoingCertificates> {
    /// The certificates of connections to one server. `None` without files.
    pub(super) fn load_certificates(files: &CertificateFiles) -> Result<Option<Self>> {
        let Some(name) = files.first().map(|path| path.display().to_string()) else { return Ok(None) };
        let (digested, loaded) = (files.clone(), files.clone());
        Self::new(name, move || digested.digest(), move || loaded.load().map(Arc::new)).map(Some)
    }
}

impl<T: 'static> ReloadableTls<T> {
    fn of_tls_files(files: &TlsFiles, load: fn(&TlsFiles) -> Result<Arc<T>, String>) -> Result<Self> {
        let (digested, loaded) = (files.clone(), files.clone());
        Self::new(files.cert.display().to_string(), move || digested.digest(), move || load(&loaded))
    }

    fn new(
        name: String,
        digest_files: impl Fn() -> io::Result<Digest> + Send + Sync + 'static,
        load: impl Fn() -> Result<Arc<T>, String> + Send + Sync + 'static,
    ) -> Result<Self> {
        // Before the files are loaded: a change in between is found by the next check.
        let digest = Mutex::new(digest_files().map_err(Error::internal)?);
        let current = watch::Sender::new(load().map_err(Error::internal)?);
        Ok(Self { name, digest_files: Box::new(digest_files), load: Box::new(load), digest, current })
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<T>> {
        self.current.subscribe()
    }
}

/// Files that can be loaded again.
pub(super) trait Reload: Send + Sync {
    /// Loads the files if they have changed. What was loaded last stays in use while they cannot be used.
    fn reload(&self);
}

impl<T: Send + Sync> Reload for ReloadableTls<T> {
    fn reload(&self) {
        let mut last = self.digest.lock();
        let digest = match (self.digest_files)() {
            Ok(digest) if digest == *last => return,
            Ok(digest) => digest,
            Err(error) => {
                tracing::warn!(cause = %error, cert = self.name, "TLS files cannot be read");
                return;
            }
        };
        match (self.load)() {
            Ok(loaded) => {
                self.current.send_replace(loaded);
                tracing::info!(cert = self.name, "TLS files were loaded again");
            }
            Err(error) => {
                tracing::warn!(cause = error, cert = self.name, "changed TLS files cannot be used");
            }
        }
        *last = digest;
    }
}

/// Loads what has changed at an interval, and when `request` is notified, until `shutdown`.
pub(super) async fn watch_files(
    files: Vec<Arc<dyn Reload>>,
    request: Arc<tokio::sync::Notify>,
    interval: Duration,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = request.notified() => {}
            () = tokio::time::sleep(interval) => {}
        }
        let files = files.clone();
        // Reads files. A panic ends the check, not the watch.
        let _ = tokio::task::spawn_blocking(move || files.iter().for_each(|files| files.reload())).await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn renew(directory: &Path) {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(directory.join("cert.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
    }

    #[tokio::test]
    async fn changed_files_are_loaded_without_a_signal() {
        let directory = tempfile::tempdir().unwrap();
        renew(directory.path());
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
        let files = TlsFiles { cert, key, client_ca: None };
        let listener = Arc::new(ReloadableTls::load_listener(&files).unwrap());
        let (mut current, shutdown) = (listener.subscribe(), CancellationToken::new());
        let first = Arc::clone(&current.borrow_and_update());
        let interval = Duration::from_millis(20);
        let watch = tokio::spawn(watch_files(vec![listener], Arc::default(), interval, shutdown.clone()));
        renew(directory.path());
        tokio::time::timeout(Duration::from_secs(20), current.changed()).await.unwrap().unwrap();
        assert!(!Arc::ptr_eq(&first, &current.borrow()));
        shutdown.cancel();
        watch.await.unwrap();
    }
}
