//! Every line the servers of this test binary log.

use std::sync::LazyLock;

use dify_openapi::telemetry::sink::Capture;

static CAPTURE: LazyLock<Capture> = LazyLock::new(Capture::default);

/// Where the lines go.
pub fn captured() -> Capture {
    CAPTURE.clone()
}
