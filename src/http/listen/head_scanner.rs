//! Finds bare line feeds in the heads of HTTP/1 requests.
//!
//! hyper accepts a line feed without a carriage return as the end of a line. Proxies that do not accept it see other
//! header fields than this server does, which enables request smuggling (RFC 9112 sections 2.2 and 11.2). The scanner
//! follows the framing of bodies, so that only heads are checked.

#[cfg(test)]
mod tests;

/// Limit of the part of a header line that is kept. Longer `Content-Length` and `Transfer-Encoding` lines are rejected.
const MAX_LINE: usize = 256;

/// The part of the connection that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Head,
    /// A body with this many bytes to come.
    Body(u64),
    /// The length of a chunk, of which the digits so far have this value.
    ChunkSize(u64),
    /// The rest of the line with the length of a chunk.
    ChunkExtension(u64),
    /// A chunk with this many bytes to come.
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// A trailer line; whether it has no bytes so far.
    Trailer {
        is_empty: bool,
    },
}

/// The body that the fields of a head announce.
#[derive(Debug, Default)]
struct Framing {
    content_length: Option<u64>,
    is_chunked: bool,
    is_malformed: bool,
}

/// Scans the bytes of one connection in order.
#[derive(Debug)]
pub(super) struct HeadScanner {
    position: Position,
    /// The beginning of the current line of the head.
    line: Vec<u8>,
    is_line_longer: bool,
    has_request_line: bool,
    framing: Framing,
}

impl HeadScanner {
    pub(super) fn new() -> Self {
        Self {
            position: Position::Head,
            line: Vec::with_capacity(MAX_LINE),
            is_line_longer: false,
            has_request_line: false,
            framing: Framing::default(),
        }
    }

    /// Scans the next bytes. Returns the position of the first line feed at which the head has to be rejected.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let scanned = match self.position {
                Position::Head => match self.scan_head(rest) {
                    Ok(scanned) => scanned,
                    Err(at) => return Some(bytes.len() - rest.len() + at),
                },
                Position::Body(length) => {
                    let (scanned, remaining) = skip(rest, length);
                    self.position = if remaining == 0 { Position::Head } else { Position::Body(remaining) };
                    scanned
                }
                Position::Chunk(length) => {
                    let (scanned, remaining) = skip(rest, length);
                    self.position = if remaining == 0 { Position::ChunkEnd } else { Position::Chunk(remaining) };
                    scanned
                }
                _ => {
                    self.position = self.after_framing_byte(rest[0]);
                    1
                }
            };
            rest = &rest[scanned..];
        }
        None
    }

    /// Scans to the end of a line. Returns the number of scanned bytes, or the position of a rejected line feed.
    fn scan_head(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.keep(bytes);
            return Ok(bytes.len());
        };
        self.keep(&bytes[..end]);
        let has_return = if end == 0 { self.ends_with_return() } else { bytes[end - 1] == b'\r' };
        if has_return && self.end_line() { Ok(end + 1) } else { Err(end) }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(MAX_LINE - self.line.len());
        self.line.extend_from_slice(&bytes[..kept]);
        if kept < bytes.len() {
            self.is_line_longer = true;
            // The last byte decides whether the line ends with a carriage return.
            if let (Some(slot), Some(last)) = (self.line.last_mut(), bytes.last()) {
                *slot = *last;
            }
        }
    }

    fn ends_with_return(&self) -> bool {
        self.line.last() == Some(&b'\r')
    }

    /// Interprets a line that ended with CRLF. Returns `false` for the end of a head whose framing is malformed.
    fn end_line(&mut self) -> bool {
        let is_empty = self.line.len() == 1;
        if is_empty && !self.has_request_line {
            // Empty lines before a request are ignored (RFC 9112 section 2.2).
            self.line.clear();
            return true;
        }
        if is_empty {
            self.line.clear();
            return self.end_head();
        }
        if self.has_request_line {
            self.read_framing();
        }
        self.has_request_line = true;
        self.line.clear();
        self.is_line_longer = false;
        true
    }

    fn read_framing(&mut self) {
        let Some(colon) = self.line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&self.line[..colon], self.line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = length.and_then(|text| text.parse::<u64>().ok());
            let is_repeated = self.framing.content_length.is_some();
            self.framing.is_malformed |= length.is_none() || is_repeated || self.is_line_longer;
            self.framing.content_length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
            self.framing.is_chunked = last.eq_ignore_ascii_case(b"chunked");
            self.framing.is_malformed |= self.is_line_longer;
        }
    }

    fn end_head(&mut self) -> bool {
        let framing = std::mem::take(&mut self.framing);
        self.position = match (framing.is_chunked, framing.content_length.unwrap_or(0)) {
            (true, _) => Position::ChunkSize(0),
            (false, 0) => Position::Head,
            (false, length) => Position::Body(length),
        };
        self.has_request_line = false;
        !framing.is_malformed
    }

    /// hyper checks the framing of chunks itself, so this only follows valid framing.
    fn after_framing_byte(&self, byte: u8) -> Position {
        match (self.position, byte) {
            (Position::ChunkSize(0) | Position::ChunkExtension(0), b'\n') => Position::Trailer { is_empty: true },
            (Position::ChunkSize(size) | Position::ChunkExtension(size), b'\n') => Position::Chunk(size),
            (Position::ChunkSize(size), byte) => match char::from(byte).to_digit(16) {
                Some(digit) => Position::ChunkSize(size.saturating_mul(16).saturating_add(digit.into())),
                None => Position::ChunkExtension(size),
            },
            (Position::ChunkEnd, b'\n') => Position::ChunkSize(0),
            (Position::Trailer { is_empty: true }, b'\n') => Position::Head,
            (Position::Trailer { .. }, b'\n') => Position::Trailer { is_empty: true },
            (Position::Trailer { .. }, byte) if byte != b'\r' => Position::Trailer { is_empty: false },
            (position, _) => position,
        }
    }
}

/// The number of bytes to skip, and the number that remains to be skipped.
fn skip(bytes: &[u8], length: u64) -> (usize, u64) {
    let skipped = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
    (skipped, length - skipped as u64)
}
