//! The health of the services that this process serves over gRPC (`grpc.health.v1`).

use std::{collections::BTreeSet, sync::Arc};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tonic_health::{ServingStatus, server::HealthReporter};

/// The name that stands for the whole server.
const WHOLE_SERVER: &str = "";

/// The reporters of the listeners of a process. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct GrpcHealth(Arc<Mutex<Vec<ListenerHealth>>>);

#[derive(Clone)]
struct ListenerHealth {
    reporter: HealthReporter,
    services: BTreeSet<&'static str>,
}

impl GrpcHealth {
    /// Reports the process and each service of a listener as serving. `/readyz` reports the state of their dependencies.
    pub(super) fn start(&self, services: BTreeSet<&'static str>) -> HealthReporter {
        let reporter = HealthReporter::new();
        for service in &services {
            // Ready at once, because nothing else has the reporter yet.
            let _ = reporter.set_service_status(service, ServingStatus::Serving).now_or_never();
        }
        self.0.lock().push(ListenerHealth { reporter: reporter.clone(), services });
        reporter
    }

    /// Reports everything as not serving, so that clients switch to other replicas before the listeners close.
    pub(crate) async fn stop(&self) {
        let listeners = self.0.lock().clone();
        for ListenerHealth { reporter, services } in listeners {
            for service in services.into_iter().chain([WHOLE_SERVER]) {
                reporter.set_service_status(service, ServingStatus::NotServing).await;
            }
        }
    }
}
