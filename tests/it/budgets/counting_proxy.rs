//! A proxy between the server and a store that counts statements to PostgreSQL (`Execute` and `Query` messages) or
//! batches to Redis, each of which is one round trip.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The count so far.
#[derive(Clone, Default)]
pub struct CountingProxy(Arc<AtomicUsize>);

#[derive(Clone, Copy)]
enum Language {
    Postgres,
    Redis,
}

impl CountingProxy {
    /// Starts a proxy that counts statements, and returns it with its URL.
    pub async fn postgres(url: &str) -> (Self, String) {
        Self::between(url, Language::Postgres).await
    }

    /// Starts a proxy that counts round trips, and returns it with its URL.
    pub async fn redis(url: &str) -> (Self, String) {
        Self::between(url, Language::Redis).await
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    async fn between(url: &str, language: Language) -> (Self, String) {
        let mut url = url::Url::parse(url).unwrap();
        let target: SocketAddr = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap()).parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let proxy = Self::default();
        let counts = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let counts = counts.clone();
                tokio::spawn(async move { counts.relay(client, target, language).await });
            }
        });
        (proxy, url.to_string())
    }

    async fn relay(self, client: TcpStream, target: SocketAddr, language: Language) {
        let server = TcpStream::connect(target).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut messages = Messages::default();
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let found = match language {
                Language::Postgres => messages.statements(&buffer[..read]),
                // A client that waits for each response sends one batch per round trip.
                Language::Redis => 1,
            };
            self.0.fetch_add(found, Ordering::SeqCst);
            if to_server.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
        back.abort();
    }
}

/// PostgreSQL's messages, split anywhere.
#[derive(Default)]
struct Messages {
    started: bool,
    pending: Vec<u8>,
}

impl Messages {
    /// The number of statements that the received bytes complete.
    fn statements(&mut self, bytes: &[u8]) -> usize {
        self.pending.extend_from_slice(bytes);
        let mut statements = 0;
        loop {
            // The first message has a length and no type. A first message of 8 bytes requests TLS and is followed by
            // another one.
            let header = usize::from(self.started);
            let Some(length) = self.pending.get(header..header + 4) else { return statements };
            let length = header + u32::from_be_bytes(length.try_into().unwrap()) as usize;
            if self.pending.len() < length {
                return statements;
            }
            if self.started {
                statements += usize::from(matches!(self.pending[0], b'E' | b'Q'));
            } else {
                self.started = length > 8;
            }
            self.pending.drain(..length);
        }
    }
}
