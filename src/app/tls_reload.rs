//! Loads the TLS files of the listeners and of the client certificate again when they change, so that renewed
//! certificates need no restart.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_rustls::rustls::{ServerConfig, sign::CertifiedKey};
use tokio_util::sync::CancellationToken;

use crate::{
    config::tls::{TlsError, TlsFiles},
    domain::{Error, Result},
};

/// How often the files are compared. Renewals happen days before a certificate expires.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// TLS files, and what was loaded from them: the configuration of a listener, or a client certificate.
#[derive(Debug)]
pub(super) struct ReloadableTls<T> {
    files: TlsFiles,
    load: fn(&TlsFiles) -> Result<Arc<T>, TlsError>,
    /// Of the files that were read last.
    digest: Mutex<[u8; 32]>,
    current: watch::Sender<Arc<T>>,
}

impl ReloadableTls<ServerConfig> {
    pub(super) fn load_listener(files: &TlsFiles) -> Result<Self> {
        Self::new(files, TlsFiles::load)
    }
}

impl ReloadableTls<CertifiedKey> {
    pub(super) fn load_key(files: &TlsFiles) -> Result<Self> {
        Self::new(files, |files| files.load_key().map(Arc::new))
    }
}

impl<T> ReloadableTls<T> {
    fn new(files: &TlsFiles, load: fn(&TlsFiles) -> Result<Arc<T>, TlsError>) -> Result<Self> {
        // Before the files are loaded: a change in between is found by the next check.
        let digest = files.digest().map_err(Error::internal)?;
        let loaded = load(files).map_err(Error::internal)?;
        Ok(Self { files: files.clone(), load, digest: Mutex::new(digest), current: watch::Sender::new(loaded) })
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
        let digest = match self.files.digest() {
            Ok(digest) if digest == *last => return,
            Ok(digest) => digest,
            Err(error) => {
                tracing::warn!(cause = %error, cert = %self.files.cert.display(), "TLS files cannot be read");
                return;
            }
        };
        match (self.load)(&self.files) {
            Ok(loaded) => {
                self.current.send_replace(loaded);
                tracing::info!(cert = %self.files.cert.display(), "TLS files were loaded again");
            }
            Err(error) => {
                tracing::warn!(cause = %error, cert = %self.files.cert.display(), "changed TLS files cannot be used");
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
