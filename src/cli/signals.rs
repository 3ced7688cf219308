//! SIGTERM and SIGINT, which end the process, and SIGHUP, which makes a server read its TLS files again.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end the process.
pub(super) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    /// Listens from now on. A signal that cannot be listened for keeps the system's default, which ends the process.
    pub(super) fn listen() -> Self {
        Self { terminate: signal(SignalKind::terminate()).ok(), interrupt: signal(SignalKind::interrupt()).ok() }
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            () = received(self.terminate.as_mut()) => {}
            () = received(self.interrupt.as_mut()) => {}
        }
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// SIGHUP, which would end the process if nothing listened for it.
pub(super) struct ReloadSignal(Option<Signal>);

impl ReloadSignal {
    pub(super) fn listen() -> Self {
        Self(signal(SignalKind::hangup()).ok())
    }

    /// For a process in a terminal, which ends with its terminal.
    pub(super) const fn ignored() -> Self {
        Self(None)
    }

    pub(super) async fn next(&mut self) {
        received(self.0.as_mut()).await;
    }
}
