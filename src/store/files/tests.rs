use std::{path::PathBuf, time::Duration};

use futures_util::{TryStreamExt as _, future::join_all};
use tokio::net::TcpListener;

use super::*;
use crate::domain::{Code, secret::Secret};

fn store(path: PathBuf) -> FileStore {
    FileStore::new(FileLocation::Directory { path, exclusive: true })
}

async fn read(files: &FileStore, key: &str, size: usize) -> Option<Vec<u8>> {
    let contents: Vec<Bytes> = files.read(key, size as u64).await.unwrap()?.try_collect().await.unwrap();
    Some(contents.concat())
}

#[tokio::test]
async fn file_exists_once_its_writer_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let files = store(directory.path().join("files"));
    let contents = vec![7; 3 * FILE_PART_BYTES + 1];
    let size = contents.len();
    assert_eq!(read(&files, "upload_files/a.bin", size).await, None);
    let mut writer = files.writer("upload_files/a.bin").await.unwrap();
    for part in contents.chunks(10_000) {
        writer.write(part.to_vec()).await.unwrap();
    }
    assert_eq!(read(&files, "upload_files/a.bin", size).await, None, "unfinished");
    writer.close().await.unwrap();
    assert_eq!(read(&files, "upload_files/a.bin", size).await, Some(contents));
    files.delete("upload_files/a.bin").await.unwrap();
    assert_eq!(read(&files, "upload_files/a.bin", size).await, None);
}

#[tokio::test]
async fn empty_file_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let files = store(directory.path().join("files"));
    files.writer("empty").await.unwrap().close().await.unwrap();
    assert_eq!(read(&files, "empty", 0).await, Some(Vec::new()));
}

#[tokio::test]
async fn unfinished_files_of_a_crash_are_removed_by_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("files");
    let files = store(path.clone());
    let mut writer = files.writer("a").await.unwrap();
    writer.write(vec![1; 2 * FILE_PART_BYTES]).await.unwrap();
    drop(writer);
    let unfinished = || fs::read_dir(path.join(UNFINISHED)).unwrap().count();
    assert_eq!(unfinished(), 1);
    store(path.clone()).operator().await.unwrap();
    assert_eq!(unfinished(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_uses_keep_what_each_writes() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("files");
        fs::create_dir_all(path.join(UNFINISHED)).unwrap();
        let files = store(path);
        let writes = (0..16).map(|number| {
            let files = files.clone();
            tokio::spawn(async move {
                let mut writer = files.writer(&number.to_string()).await.unwrap();
                writer.write(vec![1; FILE_PART_BYTES + 1]).await.unwrap();
                writer.close().await.map(|_| ())
            })
        });
        for written in join_all(writes).await {
            written.unwrap().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_of_replicas_on_one_directory_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("files");
    let replica = || FileStore::new(FileLocation::Directory { path: path.clone(), exclusive: false });
    let replicas = [replica(), replica()];
    let checks = replicas.iter().cycle().take(200).cloned().map(|files| {
        // As probes and the watch of readiness do.
        tokio::spawn(async move { files.check_writable().await })
    });
    for outcome in join_all(checks).await {
        outcome.unwrap().unwrap();
    }
    assert_eq!(fs::read_dir(path.join(UNFINISHED)).unwrap().count(), 0);
}

#[tokio::test]
async fn request_to_a_bucket_that_does_not_answer_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let files = FileStore::new(FileLocation::S3(Box::new(S3Settings {
        endpoint: Some(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()),
        region: "auto".to_owned(),
        bucket: "files".to_owned(),
        access_key: "key".to_owned(),
        secret_key: Secret::new("secret".to_owned()),
        virtual_host: false,
        request_timeout: Duration::from_millis(100),
        clients: crate::http_client::HttpClients::default(),
    })));
    let deleted = tokio::time::timeout(Duration::from_secs(10), files.delete("a")).await.expect("no limit of time");
    assert_eq!(deleted.unwrap_err().code(), Code::ServiceUnavailable);
}

#[cfg(unix)]
#[tokio::test]
async fn others_cannot_read_the_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("files");
    store(path.clone()).operator().await.unwrap();
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn store_of_another_program_is_read_and_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("storage");
    let files = FileStore::read_only(FileLocation::Directory { path: path.clone(), exclusive: false });
    assert!(files.read_whole("keys/a.pem", 10).await.is_err() && !path.exists(), "there is no such directory");
    fs::create_dir_all(path.join("keys")).unwrap();
    fs::write(path.join("keys/a.pem"), b"0123456789").unwrap();
    assert_eq!(files.read_whole("keys/a.pem", 10).await.unwrap().unwrap().as_slice(), b"0123456789");
    assert_eq!(files.read_whole("keys/b.pem", 10).await.unwrap(), None);
    assert!(files.read_whole("keys/a.pem", 9).await.is_err(), "it is too long");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
}
