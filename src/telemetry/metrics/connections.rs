//! Metrics of connections: refreshes by outcome, and connections that have to be authorized again.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

use crate::domain::{connection::credential::ReauthorizationReason, stored::StoredWord as _};

/// How a refresh ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshOutcome {
    Refreshed,
    /// It will be tried again.
    Failed,
    /// The provider rejects the credentials or the client.
    Rejected,
}

impl RefreshOutcome {
    const ALL: [Self; 3] = [Self::Refreshed, Self::Failed, Self::Rejected];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
        }
    }
}

/// The instruments of connections.
pub(crate) struct ConnectionMetrics {
    refreshes: Counter<u64>,
    reauthorizations: Counter<u64>,
}

impl ConnectionMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let counter = |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        let refreshes = counter("connections.refreshes", "Refreshes of credentials at third-party services.");
        let reauthorizations =
            counter("connections.reauthorizations", "Connections that have to be authorized again, by reason.");
        // Every series exists from the start, so that a first event is an increase for Prometheus.
        for outcome in RefreshOutcome::ALL {
            refreshes.add(0, &[KeyValue::new("outcome", outcome.as_str())]);
        }
        for reason in ReauthorizationReason::ALL {
            reauthorizations.add(0, &[KeyValue::new("reason", reason.as_str())]);
        }
        Self { refreshes, reauthorizations }
    }

    pub(crate) fn refreshed(&self, outcome: RefreshOutcome) {
        self.refreshes.add(1, &[KeyValue::new("outcome", outcome.as_str())]);
    }

    pub(crate) fn reauthorization_required(&self, reason: ReauthorizationReason) {
        self.reauthorizations.add(1, &[KeyValue::new("reason", reason.as_str())]);
    }
}
