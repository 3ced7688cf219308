//! A relay between the server and one of its stores that counts what passes: statements to PostgreSQL (`Execute` and `Query`
//! messages), and batches to Redis, each of which is one round trip.

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

/// What has passed so far.
#[derive(Clone, Default)]
pub struct CountingProxy(Arc<AtomicUsize>);

#[derive(Clone, Copy)]
enum Language {
    Postgres,
    Redis,
}

impl CountingProxy {
    /// Counts statements; the URL to use instead.
    pub async fn postgres(url: &str) -> (Self, String) {
        Self::between(url, Language::Postgres).await
    }

    /// Counts round trips; the URL to use instead.
    pub async fn redis(url: &str) -> (Self, String) {
        Self::between(url, Language::Redis).await
    }

    /// The number so far.
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
                // A client that waits for its answer sends one batch a round trip.
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

/// PostgreSQL's messages as they arrive, in whatever pieces.
#[derive(Default)]
struct Messages {
    started: bool,
    pending: Vec<u8>,
}

impl Messages {
    /// How many statements are run by what has just arrived.
    fn statements(&mut self, bytes: &[u8]) -> usize {
        self.pending.extend_from_slice(bytes);
        let mut statements = 0;
        loop {
            // The first message has no type: only a length. One of 8 bytes asks for TLS, and another first one follows.
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
