//! Uploads that are forwarded: their limits of time, and what remains of those that are given up.

use std::time::Duration;

use dify_openapi::testing::{
    domain::{AppMode, EndUserId, FileId, FileName, FileOwner},
    ports::{AppRuntime as _, Clock as _, FileUploads as _, NewFile, PendingUpload, SystemClock},
    runtime::DifySettings,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use uuid::Uuid;

use super::{
    fake_dify::{FakeDify, events, frame},
    fixture::{Fixture, settings},
    message_end,
};

/// Longer than every limit of these tests.
const LONG: Duration = Duration::from_secs(20);
/// The limit of the fixture for each answer of Dify.
const SHORT: Duration = Duration::from_millis(200);

/// A server that accepts connections and reads nothing.
async fn unreading_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut accepted: Vec<TcpStream> = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            accepted.push(stream);
        }
    });
    url
}

fn new_file(fixture: &Fixture, user: &str) -> NewFile {
    NewFile {
        id: FileId(Uuid::new_v4()),
        app: fixture.run(AppMode::Chat).app,
        owner: FileOwner::EndUser(EndUserId(Uuid::new_v4())),
        user: user.to_owned(),
        end_user: None,
        name: FileName::parse("a.bin").unwrap(),
        media_type: "application/octet-stream".to_owned(),
        created_at: SystemClock.now(),
    }
}

async fn begin(fixture: &Fixture, user: &str) -> Result<Box<dyn PendingUpload>, &'static str> {
    let begun = fixture.runtime.begin(new_file(fixture, user)).await;
    begun.map_err(|error| error.code().as_str())
}

/// Writes until it fails. Returns the code of the error.
async fn write_until_error(upload: &mut Box<dyn PendingUpload>) -> &'static str {
    loop {
        if let Err(error) = upload.write(vec![0; 64 << 10].into()).await {
            return error.code().as_str();
        }
    }
}

/// Waits for the tasks of the uploads.
async fn assert_tasks_end(fixture: &Fixture) {
    fixture.tasks.close();
    let ended = timeout(Duration::from_secs(5), fixture.tasks.wait()).await;
    assert!(ended.is_ok(), "the upload still holds its connection");
}

#[tokio::test]
async fn part_that_dify_does_not_take_times_out() {
    let settings = DifySettings { first_byte_timeout: SHORT, ..settings(&unreading_server().await) };
    let fixture = Fixture::with_settings(settings).await;
    let mut upload = begin(&fixture, "a").await.unwrap();
    let written = timeout(LONG, write_until_error(&mut upload)).await.expect("no limit of time");
    assert_eq!(written, "upstream_timeout");
    drop(upload);
    assert_tasks_end(&fixture).await;
}

#[tokio::test]
async fn answer_that_does_not_come_times_out() {
    let upstream = FakeDify::start(|_| async {
        tokio::time::sleep(LONG).await;
        events([frame(&message_end())])
    })
    .await;
    let settings = DifySettings { first_byte_timeout: SHORT, ..settings(&upstream.url) };
    let fixture = Fixture::with_settings(settings).await;
    let upload = begin(&fixture, "a").await.unwrap();
    let finished = timeout(LONG, upload.finish()).await.expect("no limit of time");
    assert_eq!(finished.unwrap_err().code().as_str(), "upstream_timeout");
    assert_tasks_end(&fixture).await;
}

#[tokio::test]
async fn given_up_upload_closes_its_connection() {
    let settings = DifySettings { max_connections: 1, ..settings(&unreading_server().await) };
    let fixture = Fixture::with_settings(settings).await;
    let mut upload = begin(&fixture, "a").await.unwrap();
    assert!(timeout(SHORT, write_until_error(&mut upload)).await.is_err(), "the connection is full");
    assert_eq!(begin(&fixture, "a").await.err(), Some("rate_limited"));
    drop(upload);
    assert_tasks_end(&fixture).await;
    assert!(begin(&fixture, "a").await.is_ok(), "the connection is free");
}

#[tokio::test]
async fn shutdown_ends_uploads() {
    let settings = settings(&unreading_server().await);
    let end = settings.end.clone();
    let fixture = Fixture::with_settings(settings).await;
    let mut upload = begin(&fixture, "a").await.unwrap();
    assert!(timeout(SHORT, write_until_error(&mut upload)).await.is_err(), "the connection is full");
    end.cancel();
    let written = timeout(LONG, write_until_error(&mut upload)).await.expect("the upload goes on");
    assert_eq!(written, "service_unavailable");
    assert_tasks_end(&fixture).await;
}

#[tokio::test]
async fn uploads_of_one_user_leave_connections_to_runs() {
    let upstream = FakeDify::sending(&[message_end()]).await;
    let settings = DifySettings { max_connections: 8, ..settings(&upstream.url) };
    let fixture = Fixture::with_settings(settings).await;
    let mut uploads = Vec::new();
    let code = loop {
        match begin(&fixture, "greedy").await {
            Ok(upload) => uploads.push(upload),
            Err(code) => break code,
        }
    };
    assert_eq!((uploads.len(), code), (5, "rate_limited"));
    assert!(fixture.runtime.start(fixture.run(AppMode::Chat)).await.is_ok());
}
