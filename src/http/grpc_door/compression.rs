//! Compressed messages. They are decompressed before they are weighed and parsed, within the limit of their method.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::HeaderMap;

use crate::domain::{Code, Error, Result};

/// What precedes a message: a flag and a length.
pub(super) const FRAME_HEADER: usize = 5;

/// Whether the message of this frame is compressed. Other encodings than gzip are left to tonic, which rejects them.
pub(super) fn is_compressed(headers: &HeaderMap, frame: &[u8]) -> bool {
    frame.first() == Some(&1) && headers.get("grpc-encoding").is_some_and(|encoding| encoding == "gzip")
}

/// The frame with its message decompressed, which has at most `max` bytes.
pub(super) fn decompress(frame: &[u8], max: usize) -> Result<Bytes> {
    let (head, message) = frame.split_at_checked(FRAME_HEADER).ok_or_else(unreadable)?;
    if head[1..] != length(message)? {
        return Err(unreadable());
    }
    let mut plain = vec![0; FRAME_HEADER];
    let limit = u64::try_from(max + 1).map_err(|_| unreadable())?;
    let read = GzDecoder::new(message).take(limit).read_to_end(&mut plain).map_err(|_| unreadable())?;
    if read > max {
        return Err(Error::new(Code::RequestEntityTooLarge, "The message is too large."));
    }
    let length = length(&plain[FRAME_HEADER..])?;
    plain[1..FRAME_HEADER].copy_from_slice(&length);
    Ok(plain.into())
}

fn length(message: &[u8]) -> Result<[u8; 4]> {
    u32::try_from(message.len()).map(u32::to_be_bytes).map_err(|_| unreadable())
}

fn unreadable() -> Error {
    Error::new(Code::InvalidRequest, "The message could not be decoded.")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
        [&[flag], &length(message).unwrap()[..], message].concat()
    }

    fn gzip(message: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(message).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn message_is_decompressed_within_its_limit() {
        let compressed = frame(1, &gzip(&[7; 100]));
        assert_eq!(decompress(&compressed, 100).unwrap(), frame(0, &[7; 100]));
        assert_eq!(decompress(&compressed, 99).unwrap_err().code(), Code::RequestEntityTooLarge);
        let bomb = frame(1, &gzip(&vec![0; 10 << 20]));
        assert_eq!(decompress(&bomb, 4_096).unwrap_err().code(), Code::RequestEntityTooLarge);
    }

    #[test]
    fn frame_that_is_not_gzip_is_rejected() {
        let compressed = frame(1, &gzip(b"text"));
        for frame in [
            b"".as_slice(),
            &[1, 0, 0],
            &frame(1, b"text"),
            &compressed[..compressed.len() - 9],
            &[&compressed[..], b"x"].concat(),
        ] {
            assert_eq!(decompress(frame, 100).unwrap_err().code(), Code::InvalidRequest, "{frame:?}");
        }
    }

    #[test]
    fn flag_and_header_mark_a_compressed_message() {
        let mut headers = HeaderMap::new();
        assert!(!is_compressed(&headers, &[1]));
        headers.insert("grpc-encoding", "gzip".parse().unwrap());
        assert!(is_compressed(&headers, &[1]) && !is_compressed(&headers, &[0]) && !is_compressed(&headers, &[]));
        headers.insert("grpc-encoding", "zstd".parse().unwrap());
        assert!(!is_compressed(&headers, &[1]));
    }
}
