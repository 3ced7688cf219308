//! Splits what the daemon sends into its lines, `data: {"code", "message", "data"}`.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::Value;

/// The body is not made of lines of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of the plugin daemon is not as specified")]
pub(super) struct InvalidLineError;

/// A line of the daemon.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    /// 0 for a success.
    pub code: i64,
    #[serde(default)]
    pub message: Value,
    #[serde(default)]
    pub data: Value,
}

impl Line {
    pub(super) fn parse(json: &[u8]) -> Result<Self, InvalidLineError> {
        serde_json::from_slice(json).map_err(|_| InvalidLineError)
    }
}

/// What was received and is not yet read.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    bytes: BytesMut,
    /// The beginning that contains no end of a line.
    scanned: usize,
}

impl LineBuffer {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }

    /// Bytes that are buffered.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The JSON of the next line with data; `None` without a whole one. With `at_end`, the rest is a line.
    pub(super) fn next(&mut self, at_end: bool) -> Result<Option<Bytes>, InvalidLineError> {
        loop {
            let end = self.bytes[self.scanned..].iter().position(|&byte| byte == b'\n');
            let line = match end {
                Some(at) => self.bytes.split_to(self.scanned + at + 1).freeze(),
                None if at_end && !self.bytes.is_empty() => self.bytes.split().freeze(),
                None => {
                    self.scanned = self.bytes.len();
                    return Ok(None);
                }
            };
            self.scanned = 0;
            if let Some(json) = json_of(&line)? {
                return Ok(Some(json));
            }
        }
    }
}

/// The JSON of a line; `None` for an empty one, a comment, or another field of an event stream. The daemon writes some
/// errors without `data:`.
fn json_of(line: &Bytes) -> Result<Option<Bytes>, InvalidLineError> {
    let text = line.trim_ascii();
    if let Some(json) = text.strip_prefix(b"data:") {
        return Ok(Some(line.slice_ref(json.trim_ascii())));
    }
    let is_other = text.is_empty() || [&b":"[..], b"event:", b"id:", b"retry:"].iter().any(|it| text.starts_with(it));
    match text.first() {
        _ if is_other => Ok(None),
        Some(b'{') => Ok(Some(line.slice_ref(text))),
        _ => Err(InvalidLineError),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_bytes(chunks: &[&[u8]]) -> Result<Vec<Bytes>, InvalidLineError> {
        let mut buffer = LineBuffer::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            buffer.push(chunk);
            while let Some(line) = buffer.next(false)? {
                lines.push(line);
            }
        }
        while let Some(line) = buffer.next(true)? {
            lines.push(line);
        }
        assert_eq!(buffer.len(), 0);
        Ok(lines)
    }

    fn read(chunks: &[&str]) -> Result<Vec<String>, InvalidLineError> {
        let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
        Ok(read_bytes(&chunks)?.iter().map(|line| String::from_utf8(line.to_vec()).unwrap()).collect())
    }

    proptest! {
        #[test]
        fn chunks_do_not_change_what_is_read(
            pieces in prop::collection::vec(
                prop::sample::select(vec![&b"data:"[..], b"\n", b"\r\n", b" ", b"{", b"}", b":", b"\xff", b"x", b"id:"]),
                0..30,
            ),
            at in any::<prop::sample::Index>(),
        ) {
            let body = pieces.concat();
            let (first, rest) = body.split_at(at.index(body.len() + 1));
            prop_assert_eq!(read_bytes(&[first, rest]), read_bytes(&[&body]));
            for line in read_bytes(&[&body]).unwrap_or_default() {
                let _ = Line::parse(&line);
            }
        }
    }

    #[test]
    fn lines_are_found_wherever_the_chunks_end() {
        let body = ": ping\n\nevent: message\ndata: {\"a\": \"é\"}\r\n\ndata:{}\n{\"error\": 1}\ndata: rest";
        let expected = ["{\"a\": \"é\"}", "{}", "{\"error\": 1}", "rest"];
        for at in 0..body.len() {
            if body.is_char_boundary(at) {
                assert_eq!(read(&[&body[..at], &body[at..]]).unwrap(), expected);
            }
        }
        assert_eq!(read(&[]).unwrap(), [""; 0]);
    }

    #[test]
    fn pages_are_no_lines() {
        for body in ["<!doctype html><p>data: {}</p>", "404 page not found\n", "data: {}\n\noops\n"] {
            assert_eq!(read(&[body]), Err(InvalidLineError), "{body}");
        }
    }
}
