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
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

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
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = request.notified() => {}
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
        }
        let listeners = listeners.clone();
        // Reads files. A panic ends the check, not the watch.
        let _ = tokio::task::spawn_blocking(move || listeners.iter().for_each(|listener| listener.reload())).await;
    }
}
