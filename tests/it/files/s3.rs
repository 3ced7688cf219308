//! Files in a bucket of a server that speaks S3's protocol and checks signatures. `tests/run` starts it.

use std::process::Command;

use percent_encoding::percent_decode_str;
use reqwest::Method;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps, database,
    server::OWNER,
    uploads::{self, PNG, upload},
};

on_both_stores!(
    file_is_stored_in_the_bucket_and_served_from_it,
    upload_that_is_not_finished_leaves_nothing_in_the_bucket,
    upload_with_a_wrong_secret_or_into_no_bucket_is_unavailable
);

/// More than two parts of a multipart upload, in bytes.
const LONG: usize = 11 << 20;

/// The bucket of `TEST_S3_URL`: `http://ACCESS_KEY:SECRET_KEY@HOST/BUCKET`.
pub(crate) struct Bucket {
    pub(crate) endpoint: String,
    name: String,
    access_key: String,
    secret_key: String,
}

impl Bucket {
    /// `None` with a message without a server (`tests/run --quick`).
    pub(crate) fn find() -> Option<Self> {
        let Ok(url) = std::env::var("TEST_S3_URL") else {
            eprintln!("no TEST_S3_URL: tests/run without --quick sets it");
            return None;
        };
        let url: Url = url.parse().unwrap();
        Some(Self {
            endpoint: format!("http://{}", url.authority().rsplit('@').next().unwrap()),
            name: url.path().trim_matches('/').to_owned(),
            access_key: url.username().to_owned(),
            secret_key: percent_decode_str(url.password().unwrap()).decode_utf8().unwrap().into_owned(),
        })
    }

    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        vec![
            ("STORAGE_TYPE", "s3"),
            ("S3_ENDPOINT", &self.endpoint),
            ("S3_REGION", "us-east-1"),
            ("S3_BUCKET_NAME", &self.name),
            ("S3_ACCESS_KEY", &self.access_key),
            ("S3_SECRET_KEY", &self.secret_key),
        ]
    }

    /// Another client's answer to a signed request for the bucket.
    fn get(&self, query: &str) -> String {
        let user = format!("{}:{}", self.access_key, self.secret_key);
        let url = format!("{}/{}?{query}", self.endpoint, self.name);
        let header = "x-amz-content-sha256: UNSIGNED-PAYLOAD";
        let signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user, "--header", header];
        let output =
            Command::new("curl").args(["--silent", "--show-error", "--fail"]).args(signed).arg(&url).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The keys of the files of a workspace, and of its uploads in parts that are not finished.
    fn keys(&self, workspace: &str) -> [Vec<String>; 2] {
        ["list-type=2", "uploads="].map(|query| {
            let listing = self.get(query);
            let keys = listing.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned());
            keys.filter(|key| key.contains(workspace)).collect()
        })
    }
}

async fn file_is_stored_in_the_bucket_and_served_from_it(stores: Stores) {
    let Some(bucket) = Bucket::find() else { return };
    let server = TestServer::start_with(stores, &bucket.variables()).await;
    let (bearer, app) = (Bearer::sign_in(&server, OWNER, "laptop").await, uploads::app(&server).await);
    let workspace = apps::shared_workspace(&server).await;
    let long: Vec<u8> = (0..251).cycle().take(LONG).collect();
    let mut expected = Vec::new();
    for (name, contents, extension) in [
        ("long.bin", &long[..], ".bin"),
        ("季度 报告.txt", "数据".as_bytes(), ".txt"),
        ("empty.png", b"", ".png"),
        ("photo", PNG, ""),
    ] {
        let answer = upload(&bearer, &app, name, contents).await;
        assert_eq!((answer.status, &answer.json()["size"]), (201, &json!(contents.len())), "{}", answer.text);
        let (id, url) = (answer.json()["id"].clone(), answer.json()["preview_url"].clone());
        expected.push(format!("upload_files/{workspace}/{}{extension}", id.as_str().unwrap()));
        let download = reqwest::get(url.as_str().unwrap()).await.unwrap();
        assert_eq!(download.status(), 200);
        let disposition = download.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(disposition.starts_with("attachment;"), "{disposition}");
        assert!(download.bytes().await.unwrap() == contents, "{name} is served as it was uploaded");
    }
    expected.sort_unstable();
    let [mut keys, unfinished] = bucket.keys(&workspace);
    keys.sort_unstable();
    assert_eq!((keys, unfinished), (expected.clone(), Vec::new()));
    assert_eq!(database::count(&server, "upload_files WHERE storage_type = 's3'").await, 4);
    assert!(!server.files_dir().exists(), "nothing is written to the disk");

    // A row whose contents are gone.
    let answer = upload(&bearer, &app, "gone.txt", b"gone").await.json();
    let key = format!("upload_files/{workspace}/{}.txt", answer["id"].as_str().unwrap());
    database::execute(&server, &format!("UPDATE upload_files SET key = '{key}x' WHERE key = '{key}'")).await;
    let missing =
        Answer::to(reqwest::Client::new().request(Method::GET, answer["preview_url"].as_str().unwrap())).await;
    assert_eq!(missing.outcome(), (404, "not_found".to_owned()));
}

async fn upload_that_is_not_finished_leaves_nothing_in_the_bucket(stores: Stores) {
    let Some(bucket) = Bucket::find() else { return };
    let variables = [bucket.variables(), vec![("UPLOAD_FILE_SIZE_LIMIT", "7")]].concat();
    let server = TestServer::start_with(stores, &variables).await;
    let (bearer, app) = (Bearer::sign_in(&server, OWNER, "laptop").await, uploads::app(&server).await);
    let workspace = apps::shared_workspace(&server).await;
    // It is over the limit after the first part has been sent.
    let refused = upload(&bearer, &app, "long.bin", &vec![7; LONG]).await;
    assert_eq!(refused.outcome(), (413, "file_too_large".to_owned()));
    // The contents are stored, and then their row cannot be.
    database::execute(&server, "ALTER TABLE upload_files RENAME TO other_files").await;
    for contents in [&vec![7; 6 << 20][..], b"short"] {
        let failed = upload(&bearer, &app, "a.bin", contents).await;
        assert!(failed.status >= 500, "{}", failed.text);
    }
    // The removal goes on after the response, and ends with the server.
    server.stop().await;
    assert_eq!(bucket.keys(&workspace), [Vec::<String>::new(), Vec::new()]);
}

async fn upload_with_a_wrong_secret_or_into_no_bucket_is_unavailable(stores: Stores) {
    let Some(bucket) = Bucket::find() else { return };
    for (variable, value) in [("S3_SECRET_KEY", "wrong"), ("S3_BUCKET_NAME", &*format!("b{}", Uuid::new_v4()))] {
        let stores = if variable == "S3_SECRET_KEY" { stores.clone() } else { Stores::Sqlite };
        let variables = [bucket.variables(), vec![(variable, value)]].concat();
        let server = TestServer::start_with(stores, &variables).await;
        let (bearer, app) = (Bearer::sign_in(&server, OWNER, "laptop").await, uploads::app(&server).await);
        let refused = upload(&bearer, &app, "a.txt", b"a").await;
        assert_eq!(refused.outcome(), (503, "service_unavailable".to_owned()), "{variable}");
        assert!(!refused.text.contains("wrong") && !refused.text.contains(&bucket.endpoint), "{}", refused.text);
        assert_eq!(database::count(&server, "upload_files").await, 0);
    }
}
