//! Loads the TLS files of the listeners again when they change, so that renewed certificates need no restart.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use crate::{
    config::tls::TlsFiles,
    domain::{Error, Result},
};

/// How often the files are compared. Renewals happen days before a certificate expires.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// The TLS configuration of one listener.
#[derive(Debug)]
pub(super) struct ReloadableTls {
    files: TlsFiles,
    /// Of the files that were read last.
    digest: Mutex<[u8; 32]>,
    current: watch::Sender<Arc<ServerConfig>>,
}

impl ReloadableTls {
    pub(super) fn load(files: &TlsFiles) -> Result<Self> {
        // Before the files are loaded: a change in between is found by the next check.
        let digest = files.digest().map_err(Error::internal)?;
        let config = files.load().map_err(Error::internal)?;
        Ok(Self { files: files.clone(), digest: Mutex::new(digest), current: watch::Sender::new(config) })
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// Loads the files if they have changed. The last configuration stays in use while they cannot be used.
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
        match self.files.load() {
            Ok(config) => {
                self.current.send_replace(config);
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
    listeners: Vec<Arc<ReloadableTls>>,
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
        let listeners = listeners.clone();
        // Reads files. A panic ends the check, not the watch.
        let _ = tokio::task::spawn_blocking(move || listeners.iter().for_each(|listener| listener.reload())).await;
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
        let listener = Arc::new(ReloadableTls::load(&files).unwrap());
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
