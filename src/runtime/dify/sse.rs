//! Parses server-sent events as Dify writes them.
//!
//! An empty line ends a frame. Its `data` is one line of JSON, and its other fields are ignored. A frame without data
//! is a ping.

use bytes::{Bytes, BytesMut};

/// Longest line, in bytes: enough for an answer of 10 MB in one frame, with its escapes.
pub(crate) const MAX_LINE: usize = 16 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SseFrame {
    Data(Bytes),
    /// A frame without data, which keeps the connection open.
    Ping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    #[error("a line of the event stream is over {MAX_LINE} bytes")]
    TooLong,
    /// Dify writes data on one line.
    #[error("the data of an event has several lines")]
    SeveralDataLines,
}

/// Parses frames from chunks of a stream. Buffers at most the incomplete frame.
#[derive(Debug)]
pub struct SseParser {
    buffer: BytesMut,
    /// Length of the beginning of the buffer without a line end, in bytes.
    searched: usize,
    data: Option<Bytes>,
    /// Whether the frame has a field.
    has_field: bool,
    /// Longest line, in bytes.
    max_line: usize,
}

impl Default for SseParser {
    fn default() -> Self {
        Self::with_max_line(MAX_LINE)
    }
}

impl SseParser {
    /// A parser with another limit of the length of a line, in bytes.
    pub fn with_max_line(max_line: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, data: None, has_field: false, max_line }
    }

    /// Adds the next chunk of the stream. The caller takes all frames out before it adds another.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Bytes of frames that are not complete.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len() + self.data.as_ref().map_or(0, Bytes::len)
    }

    /// The next complete frame; `None` when another chunk is needed.
    pub fn take(&mut self) -> Result<Option<SseFrame>, SseError> {
        while let Some(line) = self.line()? {
            if !line.is_empty() {
                self.field(&line)?;
                continue;
            }
            let has_field = std::mem::take(&mut self.has_field);
            match self.data.take() {
                Some(data) => return Ok(Some(SseFrame::Data(data))),
                None if has_field => return Ok(Some(SseFrame::Ping)),
                // More empty lines than the one that ends a frame.
                None => {}
            }
        }
        Ok(None)
    }

    fn line(&mut self) -> Result<Option<Bytes>, SseError> {
        let Some(found) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return if self.searched > self.max_line { Err(SseError::TooLong) } else { Ok(None) };
        };
        let mut line = self.buffer.split_to(self.searched + found + 1).freeze();
        self.searched = 0;
        line.truncate(line.len() - 1);
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.max_line { Err(SseError::TooLong) } else { Ok(Some(line)) }
    }

    fn field(&mut self, line: &Bytes) -> Result<(), SseError> {
        // A line that begins with a colon is a comment.
        self.has_field |= !line.starts_with(b":");
        let Some(value) = line.strip_prefix(b"data:") else { return Ok(()) };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if self.data.replace(line.slice_ref(value)).is_some() { Err(SseError::SeveralDataLines) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Result<Vec<SseFrame>, SseError> {
        let mut parser = SseParser::with_max_line(64);
        let mut read = Vec::new();
        for chunk in chunks {
            parser.push(chunk);
            while let Some(frame) = parser.take()? {
                read.push(frame);
            }
        }
        Ok(read)
    }

    fn data(text: &'static str) -> SseFrame {
        SseFrame::Data(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn empty_line_ends_a_frame() {
        let stream =
            b"event: ping\n\ndata: {\"a\":1}\n\n\n\r\ndata:{}\r\n\r\n: comment\n\nid: 7\ndata: x\nretry: 1\n\n";
        assert_eq!(read(&[stream]).unwrap(), [SseFrame::Ping, data("{\"a\":1}"), data("{}"), data("x")]);
    }

    #[test]
    fn incomplete_frame_is_buffered() {
        assert_eq!(read(&[b"data: {}\n"]).unwrap(), []);
        assert_eq!(read(&[b"da", b"ta: {", b"}\n", b"\n"]).unwrap(), [data("{}")]);
    }

    #[test]
    fn long_line_and_second_data_line_are_errors() {
        let long = [b'x'; 65];
        assert_eq!(read(&[&long]), Err(SseError::TooLong));
        assert_eq!(read(&[&long[..40], &long[..40], b"\n"]), Err(SseError::TooLong));
        assert_eq!(read(&[b"data: 1\ndata: 2\n\n"]), Err(SseError::SeveralDataLines));
    }

    proptest! {
        #[test]
        fn chunk_boundaries_do_not_change_the_frames(
            lines in proptest::collection::vec(
                "(data: [a-z{}\":]{0,20}\n\n|event: ping\r\n\r\n|: [a-z]{0,5}\n|\n)",
                0..20,
            ),
            cuts in proptest::collection::vec(1_usize..9, 1..40),
        ) {
            let stream = lines.concat().into_bytes();
            let whole = read(&[&stream]);
            let (mut chunks, mut rest, mut cuts) = (Vec::new(), &stream[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                chunks.push(chunk);
                rest = after;
            }
            prop_assert_eq!(read(&chunks), whole);
        }
    }
}
