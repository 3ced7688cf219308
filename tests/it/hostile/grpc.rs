//! Frames and messages on the gRPC door.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use tonic::transport::Channel;
use tower::{Service as _, ServiceExt as _};

use super::{PATIENCE, assert_serves};
use crate::support::{TestServer, grpc};

const METHOD: &str = "/dify.openapi.v1.DeviceFlowService/CreateDeviceCode";

/// A frame that says of itself what it likes.
fn frame(flag: u8, length: u32, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(length);
    frame.put_slice(message);
    frame.freeze()
}

/// A frame that tells the truth.
fn message(bytes: &[u8]) -> Bytes {
    frame(0, u32::try_from(bytes.len()).unwrap(), bytes)
}

/// The `grpc-status` of a call with this body, whether it comes in the headers or the trailers.
async fn call(channel: &mut Channel, headers: &[(&'static str, &'static str)], body: Bytes) -> String {
    let mut request = Request::post(METHOD).header("te", "trailers").header("content-type", "application/grpc");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(tonic::body::Body::new(Full::new(body))).unwrap();
    let answer = async {
        let response = channel.ready().await.unwrap().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let trailers = body.collect().await.ok().and_then(|body| body.trailers().cloned()).unwrap_or_default();
        let status = |headers: &HeaderMap| Some(headers.get("grpc-status")?.to_str().unwrap().to_owned());
        status(&parts.headers).or_else(|| status(&trailers)).unwrap()
    };
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("the call hangs"))
}

on_both_stores! {
    async fn frames_and_messages_that_are_none_are_the_callers_fault(server: TestServer) {
        let mut channel = grpc::channel(&server).await;
        let difyctl = b"\x0a\x07difyctl";
        assert_eq!(call(&mut channel, &[], message(difyctl)).await, "0");
        let groups = [vec![0x7b; 1_000], vec![0x7c; 1_000]].concat();
        for (what, body) in [
            ("no frame", Bytes::new()),
            ("half a frame", Bytes::from_static(&[0, 0, 0])),
            ("a flag that is none", frame(2, 9, difyctl)),
            ("every flag", frame(255, 9, difyctl)),
            ("packed, and nobody said how", frame(1, 9, difyctl)),
            ("less than it says", frame(0, 100, difyctl)),
            ("a tag that never ends", message(&[0xff; 11])),
            ("a field numbered zero", message(&[0x00, 0x01])),
            ("a text longer than the message", message(&[0x0a, 0x7f, b'x'])),
            ("a text longer than the world", message(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])),
            ("a number where a text is", message(&[0x08, 0x01])),
            ("a text that is not UTF-8", message(&[0x0a, 0x02, 0xc3, 0x28])),
            ("groups in groups in groups", message(&groups)),
            ("an end of no group", message(&[0x0c])),
        ] {
            assert_eq!(call(&mut channel, &[], body).await, "3", "{what}");
        }
        assert_serves(&server).await;
    }

    async fn ten_megabytes_are_refused_and_so_are_claims_of_more(server: TestServer) {
        let mut channel = grpc::channel(&server).await;
        assert_eq!(call(&mut channel, &[], frame(0, u32::MAX, b"x")).await, "8");
        assert_eq!(call(&mut channel, &[], message(&vec![b'x'; 10 << 20])).await, "8");
        assert_serves(&server).await;
    }

    async fn nothing_is_unpacked(server: TestServer) {
        let mut channel = grpc::channel(&server).await;
        for encoding in ["gzip", "deflate", "zstd", "snappy"] {
            // What is not spoken here is UNIMPLEMENTED (the gRPC specification's own word for it).
            assert_eq!(call(&mut channel, &[("grpc-encoding", encoding)], frame(1, 9, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 3])).await, "12");
        }
    }

    async fn deadlines_that_are_none_count_as_none(server: TestServer) {
        let mut channel = grpc::channel(&server).await;
        for timeout in ["", "S", "-1S", "99999999999S", "1x", "1 S"] {
            assert_eq!(call(&mut channel, &[("grpc-timeout", timeout)], message(b"\x0a\x07difyctl")).await, "0", "{timeout:?}");
        }
    }
}
