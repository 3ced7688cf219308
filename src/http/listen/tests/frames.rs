//! Floods of frames that belong to no request.

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
const WINDOW_UPDATE: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// `GET /page` on stream 1, with names and values as they are (RFC 7541).
const GET_PAGE: &[u8] = &[
    0, 0, 18, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x04, 5, b'/', b'p', b'a', b'g', b'e', 0x01, 7, b'a', b'.', b'l', b'o',
    b'c', b'a', b'l',
];

async fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[PREFACE, SETTINGS].concat()).await.unwrap();
    stream
}

/// Reads what the server sends until it has sent so many bytes, or ends. Returns their number.
async fn read(stream: &mut TcpStream, wanted: usize) -> usize {
    let (mut total, mut buffer) = (0, [0; 4_096]);
    while total < wanted {
        match stream.read(&mut buffer).await {
            Ok(length) if length > 0 => total += length,
            _ => break,
        }
    }
    total
}

#[tokio::test]
async fn pings_between_requests_are_answered() {
    let server = start(ListenOptions::default()).await;
    let mut stream = connect(server.address).await;
    stream.write_all(&PING.repeat(900)).await.unwrap();
    assert!(read(&mut stream, 900 * PING.len()).await >= 900 * PING.len());
    stream.write_all(GET_PAGE).await.unwrap();
    assert!(read(&mut stream, 5_000).await >= 5_000);
    stream.write_all(&PING.repeat(900)).await.unwrap();
    assert!(read(&mut stream, 900 * PING.len()).await >= 900 * PING.len());
}

#[tokio::test]
async fn flood_of_frames_is_cut_and_counts_as_a_connection_of_its_network_for_a_while() {
    for frame in [PING, SETTINGS, WINDOW_UPDATE] {
        let server = start(ListenOptions { max_connections_per_network: 1, ..ListenOptions::default() }).await;
        let mut stream = connect(server.address).await;
        let (mut from, mut to) = stream.split();
        let (mut answer, flood) = (Vec::new(), frame.repeat(5_000));
        // The end of the connection may fail the writes and reset what was not read.
        let _ = tokio::join!(from.read_to_end(&mut answer), to.write_all(&flood));
        assert!(answer.len() < 3_000 * PING.len(), "{}", answer.len());
        let mut next = connect(server.address).await;
        let answer = read(&mut next, 1).await;
        assert_eq!(answer, 0, "the next connection is closed at once");
        // Either kind of shutdown ends the penalty.
        if frame == PING {
            server.hard.cancel();
        } else {
            server.soft.cancel();
        }
        tokio::time::timeout(Duration::from_secs(5), server.ended).await.expect("a shutdown does not wait").unwrap();
    }
}
