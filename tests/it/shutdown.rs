//! The end of a server: the health of gRPC changes at once, and everything fits into `SHUTDOWN_TIMEOUT`.

use std::time::Duration;

use tokio::time::Instant;
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_client::HealthClient},
};

use crate::support::{
    Bearer, Stores, TestServer,
    grpc::{Clients, channel, internal_channel, with_bearer},
    runs::{message, request, talking_app, words},
    server::OWNER,
    server_process::ServerProcess,
};

#[tokio::test(flavor = "multi_thread")]
async fn health_turns_not_serving_as_soon_as_a_stop_is_announced() {
    let server = TestServer::start(Stores::Sqlite).await;
    let whole = HealthCheckRequest::default();
    let service = HealthCheckRequest { service: "dify.openapi.v1.AppService".to_owned() };
    let mut clients = [HealthClient::new(channel(&server).await), HealthClient::new(internal_channel(&server).await)];
    let mut watched = clients[0].watch(service.clone()).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving.into());

    server.running().announce_stop(Instant::now()).await;
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing.into());
    for client in &mut clients {
        for request in [&whole, &service] {
            let answer = client.check(request.clone()).await.unwrap().into_inner();
            assert_eq!(answer.status(), ServingStatus::NotServing.into(), "{request:?}");
        }
    }
    assert_eq!(reqwest::get(server.admin("/readyz")).await.unwrap().status(), 503);
    assert_eq!(reqwest::get(server.at("/openapi/v1/_health")).await.unwrap().status(), 200, "it still serves");
}

const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);
/// Until the first streams are ended, less a second of distance.
const OF_STREAMS: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn termination_with_a_hung_collector_and_long_streams_fits_into_its_timeout() {
    let mut server = TestServer::start_with(Stores::Sqlite, &[("ECHO_PACE_MS", "50")]).await;
    let app = talking_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    server.halt().await;
    // Accepts connections, and never answers.
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    for protocol in ["grpc", "http/protobuf"] {
        let process = ServerProcess::start_with(
            &server,
            &[
                ("SHUTDOWN_TIMEOUT", "8"),
                ("ENABLE_OTEL", "true"),
                ("OTEL_SAMPLING_RATE", "1"),
                ("OTEL_BSP_SCHEDULE_DELAY", "100"),
                ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ],
        )
        .await;
        let mut json = request(&bearer, &app, &words(3_000)).send().await.unwrap();
        assert!(json.chunk().await.unwrap().is_some());
        let channel = tonic::transport::Endpoint::from_shared(server.url.clone()).unwrap().connect().await.unwrap();
        let mut grpc = open_stream_at(channel, &bearer, &app).await;
        assert!(grpc.message().await.unwrap().is_some());

        let reading = tokio::spawn(async move {
            let mut text = Vec::new();
            while let Ok(Some(chunk)) = json.chunk().await {
                text.extend_from_slice(&chunk);
            }
            let status = loop {
                match grpc.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(status) => break Some(status.code()),
                }
            };
            (String::from_utf8(text).unwrap(), status)
        });
        let ended = tokio::task::spawn_blocking(move || process.terminate(2 * SHUTDOWN_TIMEOUT));
        let (succeeded, took, log) = ended.await.unwrap();
        assert!(succeeded, "{protocol}: {log}");
        assert!(took < SHUTDOWN_TIMEOUT, "{protocol}: {took:?}");
        assert!(took > OF_STREAMS, "{protocol}: the streams were not given their time: {took:?}");
        assert!(log.contains("the collector did not accept the last telemetry in time"), "{protocol}: {log}");
        let (text, status) = reading.await.unwrap();
        assert!(text.contains("service_unavailable"), "{protocol}: the stream ends with an error: {text}");
        assert_eq!(status, Some(tonic::Code::Unavailable), "{protocol}");
    }
}

async fn open_stream_at(
    channel: tonic::transport::Channel,
    bearer: &Bearer,
    app: &str,
) -> tonic::Streaming<dify_openapi::testing::rpc::proto::RunAppResponse> {
    let request = with_bearer(message(app, &words(3_000)), &bearer.token);
    Clients::on(channel).app.run_app(request).await.unwrap().into_inner()
}
