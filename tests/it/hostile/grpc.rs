//! Malformed gRPC frames and messages.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use tonic::transport::Channel;
use tower::{Service as _, ServiceExt as _};

use super::{MARKER, TIMEOUT, assert_serves};
use crate::support::{Bearer, Stores, TestServer, grpc, logs::Logs, server::OWNER};

const METHOD: &str = "/dify.openapi.v1.DeviceFlowService/CreateDeviceCode";

/// The protobuf tag of `RunAppRequest.inputs`.
const INPUTS: u8 = 0x12;

/// A gRPC frame with any flag and length.
fn frame(flag: u8, length: u32, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(length);
    frame.put_slice(message);
    frame.freeze()
}

/// A correct gRPC frame.
fn message(bytes: &[u8]) -> Bytes {
    frame(0, u32::try_from(bytes.len()).unwrap(), bytes)
}

/// The `grpc-status` of a call, from the headers or the trailers.
async fn call(channel: &mut Channel, headers: &[(&str, &str)], body: Bytes) -> String {
    call_method(METHOD, channel, headers, body).await
}

async fn call_method(method: &str, channel: &mut Channel, headers: &[(&str, &str)], body: Bytes) -> String {
    let mut request = Request::post(method).header("te", "trailers").header("content-type", "application/grpc");
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
    tokio::time::timeout(TIMEOUT, answer).await.unwrap_or_else(|_| panic!("the call hangs"))
}

on_both_stores!(
    malformed_frames_and_messages_return_invalid_argument,
    messages_over_the_size_limit_return_resource_exhausted,
    deeply_nested_structs_return_invalid_argument,
    duplicate_and_invalid_authorization_is_unauthenticated,
    messages_in_unsupported_encodings_return_unimplemented,
    malformed_timeouts_are_ignored
);

async fn malformed_frames_and_messages_return_invalid_argument(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut channel = grpc::channel(&server).await;
    let difyctl = b"\x0a\x07difyctl";
    assert_eq!(call(&mut channel, &[], message(difyctl)).await, "0");
    let groups = [vec![0x7b; 1_000], vec![0x7c; 1_000]].concat();
    for (what, body) in [
        ("no frame", Bytes::new()),
        ("half a frame", Bytes::from_static(&[0, 0, 0])),
        ("an unknown flag", frame(2, 9, difyctl)),
        ("every flag", frame(255, 9, difyctl)),
        ("compressed without an encoding", frame(1, 9, difyctl)),
        ("shorter than declared", frame(0, 100, difyctl)),
        ("an endless tag", message(&[0xff; 11])),
        ("a field numbered zero", message(&[0x00, 0x01])),
        ("a text longer than the message", message(&[0x0a, 0x7f, b'x'])),
        (
            "a text with the largest length",
            message(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ),
        ("a number instead of a text", message(&[0x08, 0x01])),
        ("a text that is not UTF-8", message(&[0x0a, 0x02, 0xc3, 0x28])),
        ("deeply nested groups", message(&groups)),
        ("the end of an unopened group", message(&[0x0c])),
    ] {
        assert_eq!(call(&mut channel, &[], body).await, "3", "{what}");
    }
    assert_serves(&server).await;
}

async fn messages_over_the_size_limit_return_resource_exhausted(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut channel = grpc::channel(&server).await;
    assert_eq!(call(&mut channel, &[], frame(0, u32::MAX, b"x")).await, "8");
    assert_eq!(call(&mut channel, &[], message(&vec![b'x'; 10 << 20])).await, "8");
    assert_serves(&server).await;
}

async fn deeply_nested_structs_return_invalid_argument(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let bearer = format!("Bearer {}", Bearer::sign_in(&server, OWNER, "laptop").await.token);
    let within = |tag: u8, inner: Vec<u8>| {
        let mut field = vec![tag];
        prost::encoding::encode_varint(inner.len() as u64, &mut field);
        [field, inner].concat()
    };
    // `inputs` is a Struct: a map of values, one of which is a Struct again.
    let mut inner = Vec::new();
    for _ in 0..1_000 {
        inner = within(0x0a, [within(0x0a, b"a".to_vec()), within(0x12, within(0x2a, inner))].concat());
    }
    let run =
        message(&[within(0x0a, b"7f000001-0000-4000-8000-000000000000".to_vec()), within(INPUTS, inner)].concat());
    let mut channel = grpc::channel(&server).await;
    assert_eq!(
        call_method("/dify.openapi.v1.AppService/RunApp", &mut channel, &[("authorization", &bearer)], run).await,
        "3"
    );
    assert_serves(&server).await;
}

async fn duplicate_and_invalid_authorization_is_unauthenticated(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let logs = Logs::capture();
    let bearer = format!("Bearer {}", Bearer::sign_in(&server, OWNER, "laptop").await.token);
    let method = "/dify.openapi.v1.IdentityService/GetAccount";
    let mut channel = grpc::channel(&server).await;
    let doubled = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(call_method(method, &mut channel, &doubled, message(b"")).await, "16");
    let marked = format!("Bearer {MARKER}");
    assert_eq!(call_method(method, &mut channel, &[("authorization", &marked)], message(b"")).await, "16");
    assert_eq!(call_method(method, &mut channel, &[("authorization", &bearer)], message(b"")).await, "0");
    assert!(!logs.lines().contains(MARKER) && logs.matching(&[MARKER]).is_empty());
}

async fn messages_in_unsupported_encodings_return_unimplemented(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut channel = grpc::channel(&server).await;
    for encoding in ["deflate", "zstd", "snappy"] {
        // The gRPC specification requires UNIMPLEMENTED for an unsupported encoding.
        assert_eq!(
            call(&mut channel, &[("grpc-encoding", encoding)], frame(1, 9, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 3])).await,
            "12"
        );
    }
}

async fn malformed_timeouts_are_ignored(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut channel = grpc::channel(&server).await;
    for timeout in ["", "S", "-1S", "99999999999S", "1x", "1 S"] {
        assert_eq!(
            call(&mut channel, &[("grpc-timeout", timeout)], message(b"\x0a\x07difyctl")).await,
            "0",
            "{timeout:?}"
        );
    }
}
