//! A complete HTTP response, and the redaction of JSON for snapshots.

use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::Value;

/// A complete HTTP response.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Sends a request and reads the response.
    pub async fn to(request: RequestBuilder) -> Self {
        Self::try_to(request).await.unwrap()
    }

    /// Does the same for a server that may end during the request.
    pub async fn try_to(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    /// The body as JSON; null when it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The member `code`, or else `error`; `ok` for a success.
    pub fn code(&self) -> String {
        let body = self.json();
        let found = ["code", "error"].into_iter().find_map(|member| body[member].as_str().map(str::to_owned));
        found.unwrap_or_else(|| if self.status < 400 { "ok".to_owned() } else { format!("no code: {}", self.text) })
    }

    /// The status and the code.
    pub fn outcome(&self) -> (u16, String) {
        (self.status, self.code())
    }

    /// A header; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The values of `Set-Cookie`.
    pub fn cookies(&self) -> Vec<&str> {
        self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The redacted body.
    pub fn redacted(&self) -> Value {
        redact(self.json())
    }
}

/// Replaces ids, times, tokens and codes with placeholders.
pub fn redact(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact_text(&text).map_or(text, str::to_owned)),
        Value::Array(items) => Value::Array(items.into_iter().map(redact).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, redact(value))).collect())
        }
        other => other,
    }
}

fn redact_text(text: &str) -> Option<&'static str> {
    let time = || text.len() == 20 && text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok();
    if text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() {
        Some("[uuid]")
    } else if time() {
        Some("[time]")
    } else if text.starts_with("dfoa_") || text.starts_with("dfoe_") {
        Some(if text.len() == 48 { "[token]" } else { "[prefix]" })
    } else if text.starts_with("dc_") && text.len() == 35 {
        Some("[device_code]")
    } else {
        None
    }
}
