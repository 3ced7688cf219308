//! Calls of the identity provider in traces.

use super::*;
use crate::support::{
    collector::{Collector, exporting_to, traceparent},
    server_process::ServerProcess,
};

#[tokio::test(flavor = "multi_thread")]
async fn exchange_of_a_code_is_a_client_span_whose_context_the_provider_gets_also_without_an_export() {
    let mut sso = SsoServer::start(Stores::Sqlite).await;
    let device = Device::start(&sso, "laptop").await;
    let mut browser = sso.browser();
    let request = browser.start(&device.user_code).await;
    let answer = browser.complete(&request, ANN).await;
    let (id, context) = (answer.header("x-request-id").to_owned(), sso.provider.traceparent());
    assert!(context.starts_with(&format!("00-{id}-")), "{context} {id}");

    sso.server.halt().await;
    let (collector, endpoint) = Collector::start().await;
    let _process = ServerProcess::start_with(&sso, &exporting_to(&endpoint)).await;
    let device = Device::start(&sso, "phone").await;
    sso.browser().sign_in(&device.user_code).await;
    let request = collector.wait_for("of the callback", |span| span.name.ends_with("/sso-complete")).await;
    let call = collector.wait_for_call(&request, "identity-provider").await;
    assert_eq!(sso.provider.traceparent(), traceparent(&call));
}
