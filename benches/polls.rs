//! The client of the load table's polling rows.
//!
//!     polls URL GRANTS SECONDS
//!
//! Requests GRANTS pairs of codes and polls each every five seconds for SECONDS, evenly spread. Prints one line of
//! JSON: the number of polls, the number of responses other than `authorization_pending`, and the latency in
//! milliseconds.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The polling interval of RFC 8628.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The results of the polls of one device.
#[derive(Default)]
struct Polls {
    milliseconds: Vec<f64>,
    others: usize,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, grants, seconds] = words.as_slice() else { return Err("polls URL GRANTS SECONDS".into()) };
    let (grants, seconds): (u32, u64) = (grants.parse()?, seconds.parse()?);
    let client = dify_openapi::testing::http_client::HttpClients::default().for_other_servers()?.build()?;
    let codes: Vec<String> =
        stream::iter(0..grants).map(|_| code(&client, url)).buffer_unordered(16).try_collect().await?;
    println!("{}", json!({"codes": codes.len()}));

    let url: Arc<str> = format!("{url}/openapi/v1/oauth/device/token").into();
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let mut devices = JoinSet::new();
    for (nth, code) in (0_u32..).zip(codes) {
        let first = began + POLL_INTERVAL * nth / grants;
        devices.spawn(wait(client.clone(), Arc::clone(&url), code, first, until));
    }
    let (mut all, mut others) = (Vec::new(), 0);
    while let Some(polls) = devices.join_next().await {
        let polls = polls?;
        all.extend(polls.milliseconds);
        others += polls.others;
    }
    all.sort_by(f64::total_cmp);
    let quantile = |percent: usize| all.get(all.len() * percent / 100).copied().unwrap_or(0.0);
    println!("{}", json!({"polls": all.len(), "others": others, "p50": quantile(50), "p99": quantile(99)}));
    Ok(())
}

async fn code(client: &Client, url: &str) -> Outcome<String> {
    let request = client.post(format!("{url}/openapi/v1/oauth/device/code")).json(&json!({"client_id": "difyctl"}));
    let codes: Value = request.send().await?.error_for_status()?.json().await?;
    Ok(codes["device_code"].as_str().ok_or("no code")?.to_owned())
}

/// Polls until the deadline.
async fn wait(client: Client, url: Arc<str>, code: String, first: Instant, until: Instant) -> Polls {
    let body = json!({"client_id": "difyctl", "device_code": code});
    let (mut polls, mut next) = (Polls::default(), first);
    while next < until {
        tokio::time::sleep_until(next.into()).await;
        let began = Instant::now();
        let pending = match client.post(&*url).json(&body).send().await {
            Ok(response) => response.json::<Value>().await.is_ok_and(|body| body["error"] == "authorization_pending"),
            Err(_) => false,
        };
        polls.milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
        polls.others += usize::from(!pending);
        next += POLL_INTERVAL;
    }
    polls
}
