//! stub
#[derive(Clone, Copy)]
pub struct PeerAddr(pub std::net::SocketAddr);
