//! A TCP proxy that can silence, hold or refuse its connections, as a broken network does.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What passes the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    All,
    /// Connections stay open, and what is sent waits for the end of the partition.
    Nothing,
    /// Requests pass, and replies wait.
    RequestsOnly,
    /// Connections are closed, and new ones are closed at once.
    Refused,
}

/// The direction of a half of a connection.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Request,
    Reply,
}

/// Forwards connections from a port of its own.
pub struct TcpProxy {
    address: SocketAddr,
    pub port: u16,
    cut: watch::Sender<()>,
    traffic: watch::Sender<Traffic>,
    connections: Arc<AtomicUsize>,
    /// The port to which new connections go.
    target: Arc<AtomicU16>,
}

impl TcpProxy {
    /// Starts a proxy to a port of this machine.
    pub async fn to(port: u16) -> Self {
        Self::listening_at(Ipv4Addr::LOCALHOST, port).await
    }

    /// Starts a proxy at an address of this machine to a port of it.
    pub async fn listening_at(address: Ipv4Addr, port: u16) -> Self {
        Self::on(TcpListener::bind((address, 0)).await.unwrap(), port)
    }

    /// Starts a proxy on `[::1]` to a port of 127.0.0.1. `None` with a message where the machine has no IPv6.
    pub async fn from_ipv6(port: u16) -> Option<Self> {
        match TcpListener::bind("[::1]:0").await {
            Ok(listener) => Some(Self::on(listener, port)),
            Err(error) => {
                eprintln!("this machine has no IPv6 loopback address: {error}");
                None
            }
        }
    }

    fn on(listener: TcpListener, port: u16) -> Self {
        let address = listener.local_addr().unwrap();
        let proxy = Self {
            address,
            port: address.port(),
            cut: watch::Sender::new(()),
            traffic: watch::Sender::new(Traffic::All),
            connections: Arc::default(),
            target: Arc::new(AtomicU16::new(port)),
        };
        let target = Arc::clone(&proxy.target);
        let (cut, traffic, connections) =
            (proxy.cut.subscribe(), proxy.traffic.subscribe(), Arc::clone(&proxy.connections));
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                if *traffic.borrow() == Traffic::Refused {
                    continue;
                }
                // Ignores earlier cuts, which were for older connections.
                let mut cut = cut.clone();
                cut.mark_unchanged();
                let Ok(to) = TcpStream::connect(("127.0.0.1", target.load(Ordering::Relaxed))).await else { continue };
                let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
                tokio::spawn(pump(from_read, to_write, cut.clone(), traffic.clone(), Direction::Request));
                tokio::spawn(pump(to_read, from_write, cut, traffic.clone(), Direction::Reply));
            }
        });
        proxy
    }

    /// Its address and port, as URLs contain them.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The number of accepted connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Silences all present connections: they stay open, and nothing passes any more. New connections work.
    pub fn cut(&self) {
        self.cut.send_replace(());
    }

    /// Sends new connections to another port.
    pub fn set_target(&self, port: u16) {
        self.target.store(port, Ordering::Relaxed);
    }

    /// Changes what passes, also for the present connections.
    pub fn set_traffic(&self, traffic: Traffic) {
        self.traffic.send_replace(traffic);
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut cut: watch::Receiver<()>,
    mut traffic: watch::Receiver<Traffic>,
    direction: Direction,
) {
    let mut refusals = traffic.clone();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            biased;
            Ok(()) = cut.changed() => std::future::pending().await,
            () = wait_until(&mut refusals, |traffic| traffic == Traffic::Refused) => return,
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(read) => {
                    wait_until(&mut traffic, |traffic| passes(traffic, direction)).await;
                    if *traffic.borrow() == Traffic::Refused || to.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                },
            },
        }
    }
}

/// Waits for a kind of traffic, or for the end of the proxy.
async fn wait_until(traffic: &mut watch::Receiver<Traffic>, is_wanted: impl Fn(Traffic) -> bool) {
    let _ = traffic.wait_for(|traffic| is_wanted(*traffic)).await;
}

/// Whether the wait of a direction ends.
fn passes(traffic: Traffic, direction: Direction) -> bool {
    match traffic {
        Traffic::All | Traffic::Refused => true,
        Traffic::Nothing => false,
        Traffic::RequestsOnly => direction == Direction::Request,
    }
}
