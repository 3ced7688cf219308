//! What the server answered to an attack.

use std::{collections::BTreeMap, sync::Arc};

use http::HeaderMap;
use parking_lot::Mutex;
use serde_json::Value;

/// Counts answers. Clones share the counts.
#[derive(Clone, Default)]
pub struct Outcomes(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    by_name: BTreeMap<String, usize>,
    unclear: Vec<String>,
}

impl Outcomes {
    /// A complete answer over HTTP. A refusal must be a 4xx or a 503 with a code.
    pub fn record(&self, status: u16, headers: &HeaderMap, body: &[u8]) {
        let mut counts = self.0.lock();
        *counts.by_name.entry(status.to_string()).or_default() += 1;
        if status < 400 {
            return;
        }
        let text = String::from_utf8_lossy(body);
        let is_json = headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let is_clear = (status < 500 || status == 503)
            && (!is_json || json["code"].is_string())
            && (!matches!(status, 429 | 503) || headers.contains_key("retry-after"));
        if !is_clear {
            counts.unclear.push(format!("{status} {text:.200}"));
        }
    }

    /// An answer over gRPC, whose status is in its headers or its trailers.
    pub fn record_grpc(&self, headers: &HeaderMap) {
        let status = headers.get("grpc-status").and_then(|status| status.to_str().ok()).unwrap_or("none");
        let mut counts = self.0.lock();
        *counts.by_name.entry(format!("grpc {status}")).or_default() += 1;
        // UNKNOWN and INTERNAL say nothing.
        if matches!(status, "2" | "13") {
            counts.unclear.push(format!("{headers:?}"));
        }
    }

    /// The connection or the stream ended without an answer.
    pub fn record_end(&self, name: &str) {
        *self.0.lock().by_name.entry(name.to_owned()).or_default() += 1;
    }

    /// The counts in one line.
    pub fn summary(&self) -> String {
        let counts = self.0.lock();
        counts.by_name.iter().map(|(name, count)| format!("{name} × {count}")).collect::<Vec<_>>().join(", ")
    }

    /// Refusals that do not say why.
    pub fn unclear(&self) -> Vec<String> {
        self.0.lock().unclear.clone()
    }
}
