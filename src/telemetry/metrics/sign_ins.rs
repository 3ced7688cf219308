//! Metrics of device sign-ins: how many reach each step, and what polls return.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

/// A step that a sign-in of a device reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignInStep {
    /// A device got its codes.
    Issued,
    Approved,
    Denied,
    /// A poll found the code expired or unknown.
    Expired,
    /// A poll returned the token.
    Redeemed,
}

impl SignInStep {
    const ALL: [Self; 5] = [Self::Issued, Self::Approved, Self::Denied, Self::Expired, Self::Redeemed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Redeemed => "redeemed",
        }
    }
}

/// What polls return, besides errors of the server: a token, or an error of RFC 8628 section 3.5 and RFC 6749.
const POLL_OUTCOMES: [&str; 7] =
    ["redeemed", "authorization_pending", "slow_down", "access_denied", "expired_token", "invalid_grant", "failed"];

/// The instruments of sign-ins.
#[derive(Debug)]
pub(crate) struct SignInMetrics {
    steps: Counter<u64>,
    polls: Counter<u64>,
}

impl SignInMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let counter = |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        let metrics = Self {
            steps: counter("openapi.device_sign_ins", "Device sign-ins by the step that they reached."),
            polls: counter("openapi.device_polls", "Polls of devices by what they returned."),
        };
        for step in SignInStep::ALL {
            metrics.steps.add(0, &[KeyValue::new("step", step.as_str())]);
        }
        for outcome in POLL_OUTCOMES {
            metrics.polls.add(0, &[KeyValue::new("outcome", outcome)]);
        }
        metrics
    }

    pub(crate) fn reached(&self, step: SignInStep) {
        self.steps.add(1, &[KeyValue::new("step", step.as_str())]);
    }

    /// Counts a poll by the code of its error, or `redeemed`.
    pub(crate) fn polled(&self, outcome: &str) {
        let known = POLL_OUTCOMES.into_iter().find(|known| *known == outcome).unwrap_or("failed");
        self.polls.add(1, &[KeyValue::new("outcome", known)]);
        match known {
            "redeemed" => self.reached(SignInStep::Redeemed),
            "expired_token" => self.reached(SignInStep::Expired),
            _ => {}
        }
    }
}
