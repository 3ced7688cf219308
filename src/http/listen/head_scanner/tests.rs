use proptest::{collection::vec, prelude::*};

use super::*;

/// Scans `text` in pieces of `size` bytes. Returns the position of the rejected line feed.
fn rejected(text: &str, size: usize) -> Option<usize> {
    let mut scanner = HeadScanner::new();
    let mut pieces = text.as_bytes().chunks(size).enumerate();
    pieces.find_map(|(number, piece)| Some(number * size + scanner.scan(piece)?))
}

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const FIXED: &str = "POST / HTTP/1.1\r\nContent-Length: 7\r\n\r\na\nb\n\nc\n";
const CHUNKED: &str = "POST / HTTP/1.1\r\ntransfer-encoding: gzip, Chunked\r\n\r\n2;a=\"b\"\r\n\n\n\r\n0b\r\n\
                       12345\n7890\n\r\n0\r\nTrailer: x\r\n\r\n";

#[test]
fn line_feeds_in_bodies_are_kept() {
    for text in [GET, FIXED, CHUNKED] {
        let text = format!("{text}{GET}{FIXED}\r\n{CHUNKED}{text}{GET}");
        for size in 1..=text.len() {
            assert_eq!(rejected(&text, size), None, "{size} {text:?}");
        }
    }
}

#[test]
fn bare_line_feed_in_a_head_is_rejected() {
    for before in ["", GET, FIXED, CHUNKED] {
        for head in ["GET / HTTP/1.1\n", "\n", "GET / HTTP/1.1\r\nhost: x\n", "GET / HTTP/1.1\r\nhost: x\r\n\n"] {
            let text = format!("{before}{head}");
            for size in 1..=text.len() {
                assert_eq!(rejected(&text, size), Some(text.len() - 1), "{size} {text:?}");
            }
        }
    }
}

#[test]
fn bare_line_feed_after_a_long_line_is_rejected() {
    for length in MAX_LINE - 3..MAX_LINE + 3 {
        for (end, expected) in [("\r\n", false), ("\n", true)] {
            let text = format!("GET / HTTP/1.1\r\nx: {}{end}", "y".repeat(length));
            for size in [1, 7, text.len() - 1, text.len()] {
                assert_eq!(rejected(&text, size).is_some(), expected, "{length} {size} {end:?}");
            }
        }
    }
}

#[test]
fn head_with_malformed_framing_is_rejected() {
    let long = format!("transfer-encoding: {}chunked", "gzip,".repeat(100));
    for headers in ["content-length: 5\r\nContent-Length: 5", "content-length: +5", "content-length: 5, 5", &long] {
        let text = format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n");
        assert_eq!(rejected(&text, 3), Some(text.len() - 1), "{headers:.40}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_scanned_the_same_in_any_pieces(
        parts in vec(prop_oneof!["[ -~\r\n]{0,40}", Just(GET.to_owned()), Just(FIXED.to_owned())], 0..5),
        size in 1_usize..50,
    ) {
        let text = parts.concat();
        prop_assert_eq!(rejected(&text, size), rejected(&text, text.len().max(1)));
    }
}
