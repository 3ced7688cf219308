//! HTTP servers that the attacker's apps call.

use std::net::SocketAddr;

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

/// A response just below the limit of the HTTP node.
const LARGE: usize = (10 << 20) - 4_096;

#[derive(Clone, Copy)]
pub struct Upstreams {
    /// Accepts, and never answers.
    pub silent: SocketAddr,
    /// Sends ten megabytes of no text, and never ends.
    pub large: SocketAddr,
}

impl Upstreams {
    pub async fn start() -> Self {
        Self { silent: listen(stay_silent).await, large: listen(send_large).await }
    }
}

async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    address
}

async fn stay_silent(connection: TcpStream) {
    std::future::pending::<()>().await;
    drop(connection);
}

async fn send_large(mut connection: TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\r\n";
    if connection.write_all(head).await.is_ok() && connection.write_all(&vec![0xff; LARGE]).await.is_ok() {
        std::future::pending::<()>().await;
    }
}
