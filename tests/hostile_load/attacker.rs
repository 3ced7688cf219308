//! Where an attack comes from and how it connects.

use std::{
    future::Future,
    io::Result as IoResult,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use parking_lot::Mutex;
use reqwest::RequestBuilder;
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::{account::Account, outcomes::Outcomes};

/// The address that the attacker signs in from.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));

/// An attacker with an account and an address. Clones share the tasks and the outcomes.
#[derive(Clone)]
pub struct Attacker {
    pub server: SocketAddr,
    /// The first of its addresses.
    pub address: IpAddr,
    /// The number of the attack. Attacks have addresses of their own, so that none uses up the limits of another.
    number: u8,
    pub account: Arc<Account>,
    pub outcomes: Outcomes,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Attacker {
    pub fn new(server: SocketAddr, account: Arc<Account>, number: u8) -> Self {
        Self {
            server,
            address: own_address(number, 0),
            number,
            account,
            outcomes: Outcomes::default(),
            tasks: Arc::default(),
        }
    }

    /// Runs a part of the attack until it ends, or until the attack ends.
    pub fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().spawn(part);
    }

    /// Ends all parts and their connections.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
    }

    pub async fn connect(&self) -> IoResult<TcpStream> {
        self.connect_from(self.address).await
    }

    /// One of many addresses.
    pub fn other_address(&self, index: u8) -> IpAddr {
        own_address(self.number, index)
    }

    pub async fn connect_from(&self, address: IpAddr) -> IoResult<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(address, 0))?;
        socket.connect(self.server).await
    }

    /// Sends a request and records its answer.
    pub async fn send(&self, request: RequestBuilder) {
        let Ok(response) = request.send().await else { return self.outcomes.record_end("closed") };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        match response.bytes().await {
            Ok(body) => self.outcomes.record(status, &headers, &body),
            Err(_) => self.outcomes.record_end("cut off"),
        }
    }
}

fn own_address(number: u8, index: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 9, number, index + 1))
}
