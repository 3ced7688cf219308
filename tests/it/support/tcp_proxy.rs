//! A TCP proxy that can silence its connections without closing them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// Forwards connections from a port of its own.
pub struct TcpProxy {
    pub port: u16,
    cut: watch::Sender<()>,
    connections: Arc<AtomicUsize>,
}

impl TcpProxy {
    /// Starts a proxy to a port of this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port_here = listener.local_addr().unwrap().port();
        let proxy = Self { port: port_here, cut: watch::Sender::new(()), connections: Arc::default() };
        let (cut, connections) = (proxy.cut.subscribe(), Arc::clone(&proxy.connections));
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                // Ignores earlier cuts, which were for older connections.
                let mut cut = cut.clone();
                cut.mark_unchanged();
                let Ok(to) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
                tokio::spawn(pump(from_read, to_write, cut.clone()));
                tokio::spawn(pump(to_read, from_write, cut));
            }
        });
        proxy
    }

    /// The number of accepted connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Silences all present connections: they stay open, and nothing passes any more. New connections work.
    pub fn cut(&self) {
        self.cut.send_replace(());
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut cut: watch::Receiver<()>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            biased;
            Ok(()) = cut.changed() => std::future::pending().await,
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(read) => if to.write_all(&buffer[..read]).await.is_err() { return },
            },
        }
    }
}
