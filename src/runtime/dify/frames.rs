//! Server-sent events as Dify writes them, read frame by frame out of whatever pieces they arrive in.
//!
//! A frame is what stands between empty lines. Its `data` is one line of JSON; its other fields say nothing that is needed,
//! and a frame without data is a ping.

use bytes::{Bytes, BytesMut};

/// The longest line: an answer of 10 MB in one frame passes, escapes included.
pub(crate) const LONGEST_LINE: usize = 16 << 20;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Its data.
    Data(Bytes),
    /// No data: the server shows that it lives.
    Ping,
}

/// What no server should send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// A line longer than is kept.
    #[error("a line of the event stream is over {LONGEST_LINE} bytes")]
    TooLong,
    /// Data on several lines, which Dify never writes.
    #[error("an event is spread over several lines")]
    Spread,
}

/// Takes pieces in and gives frames out. Holds one frame that is not complete yet, and nothing else.
#[derive(Debug)]
pub struct Frames {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    data: Option<Bytes>,
    named: bool,
    longest: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self::with_longest_line(LONGEST_LINE)
    }
}

impl Frames {
    /// With another limit on the length of a line, in bytes.
    pub fn with_longest_line(longest: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, data: None, named: false, longest }
    }

    /// Takes the next piece of the stream. Frames must be taken out before the next one, or they pile up.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next complete frame; `None` until more has come in.
    pub fn take(&mut self) -> Result<Option<Frame>, FrameFault> {
        while let Some(line) = self.line()? {
            if !line.is_empty() {
                self.field(&line)?;
                continue;
            }
            let named = std::mem::take(&mut self.named);
            match self.data.take() {
                Some(data) => return Ok(Some(Frame::Data(data))),
                None if named => return Ok(Some(Frame::Ping)),
                // Empty lines beyond the one that ends a frame.
                None => {}
            }
        }
        Ok(None)
    }

    fn line(&mut self) -> Result<Option<Bytes>, FrameFault> {
        let Some(found) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return if self.searched > self.longest { Err(FrameFault::TooLong) } else { Ok(None) };
        };
        let mut line = self.buffer.split_to(self.searched + found + 1).freeze();
        self.searched = 0;
        line.truncate(line.len() - 1);
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.longest { Err(FrameFault::TooLong) } else { Ok(Some(line)) }
    }

    fn field(&mut self, line: &Bytes) -> Result<(), FrameFault> {
        // Without a name it is a comment.
        self.named |= !line.starts_with(b":");
        let Some(value) = line.strip_prefix(b"data:") else { return Ok(()) };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if self.data.replace(line.slice_ref(value)).is_some() { Err(FrameFault::Spread) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Frame>, FrameFault> {
        let mut frames = Frames::with_longest_line(64);
        let mut read = Vec::new();
        for piece in pieces {
            frames.push(piece);
            while let Some(frame) = frames.take()? {
                read.push(frame);
            }
        }
        Ok(read)
    }

    fn data(text: &'static str) -> Frame {
        Frame::Data(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn frames_are_what_stands_between_empty_lines() {
        let stream =
            b"event: ping\n\ndata: {\"a\":1}\n\n\n\r\ndata:{}\r\n\r\n: comment\n\nid: 7\ndata: x\nretry: 1\n\n";
        assert_eq!(read(&[stream]).unwrap(), [Frame::Ping, data("{\"a\":1}"), data("{}"), data("x")]);
    }

    #[test]
    fn what_is_not_complete_is_kept_back() {
        assert_eq!(read(&[b"data: {}\n"]).unwrap(), []);
        assert_eq!(read(&[b"da", b"ta: {", b"}\n", b"\n"]).unwrap(), [data("{}")]);
    }

    #[test]
    fn a_line_has_a_limit_whether_or_not_it_ends() {
        let long = [b'x'; 65];
        assert_eq!(read(&[&long]), Err(FrameFault::TooLong));
        assert_eq!(read(&[&long[..40], &long[..40], b"\n"]), Err(FrameFault::TooLong));
        assert_eq!(read(&[b"data: 1\ndata: 2\n\n"]), Err(FrameFault::Spread));
    }

    proptest! {
        #[test]
        fn how_a_stream_is_cut_does_not_matter(
            lines in proptest::collection::vec("(data: [a-z{}\":]{0,20}\n\n|event: ping\r\n\r\n|: [a-z]{0,5}\n|\n)", 0..20),
            cuts in proptest::collection::vec(1_usize..9, 1..40),
        ) {
            let stream = lines.concat().into_bytes();
            let whole = read(&[&stream]);
            let (mut pieces, mut rest, mut cuts) = (Vec::new(), &stream[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(read(&pieces), whole);
        }
    }
}
