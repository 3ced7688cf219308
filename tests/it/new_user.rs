//! The first steps of a new user: the real binary on an empty data directory, with a browser and `curl`.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    Chromium,
    dev_server::{DevServer, dev_command},
    process,
    server::{OWNER, PASSWORD},
    visitor::{AUTHORIZE, SUBMIT},
};

impl DevServer {
    /// Posts a form.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url)).form(form);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The status of `GET /account` with a bearer token.
    async fn account(&self, token: &str) -> u16 {
        let request = reqwest::Client::new().get(format!("{}/openapi/v1/account", self.url)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    }
}

/// The commands of the README's tour, with the shell variables that the tour sets.
struct ReadmeTour<'a>(Vec<(&'a str, &'a str)>);

impl ReadmeTour<'_> {
    /// The one command of the tour that contains `part`.
    fn command(&self, part: &str) -> Command {
        let readme = include_str!("../../README.md");
        let tour = readme.split_once("## A tour").unwrap().1.split_once("\n### ").unwrap().0;
        let mut found = tour.lines().filter(|line| line.starts_with("curl ") && line.contains(part));
        let line = found.next().unwrap_or_else(|| panic!("the tour has no {part}"));
        assert_eq!(found.next(), None, "which {part}?");
        let mut command = Command::new("sh");
        command.args(["-c", line]).envs(self.0.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// Runs a command and parses its output.
    fn json(&self, part: &str) -> Value {
        let output = self.command(part).output().unwrap();
        assert!(output.status.success(), "{part}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a streaming command. Returns its events and the time between the first and the last word.
    fn events(&self, part: &str) -> (Vec<Value>, Duration) {
        let mut process = self.command(part).spawn().unwrap();
        let (mut events, mut moments) = (Vec::<Value>::new(), Vec::new());
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some(data) = line.strip_prefix("data: ") else { continue };
            events.push(serde_json::from_str(data).unwrap());
            if events.last().unwrap()["event"] == "message" {
                moments.push(Instant::now());
            }
        }
        assert!(process.wait().unwrap().success());
        (events, *moments.last().unwrap() - moments[0])
    }
}

/// Runs the commands of the tour up to a streaming run.
fn follow_readme_tour(url: &str, token: &str) {
    let bearer = format!("Authorization: Bearer {token}");
    let mut tour = ReadmeTour(vec![("H", url), ("A", &bearer)]);
    assert_eq!(tour.json("/account ")["account"]["email"], OWNER);
    let workspaces = tour.json("/workspaces ");
    let mut workspaces = workspaces["workspaces"].as_array().unwrap().iter();
    let workspace = workspaces.find(|workspace| workspace["name"] == "Demo Workspace").unwrap()["id"].clone();
    tour.0.push(("W", workspace.as_str().unwrap()));

    let apps = tour.json("/apps?");
    let mut modes: Vec<_> = apps["data"].as_array().unwrap().iter().map(|app| app["mode"].as_str().unwrap()).collect();
    modes.sort_unstable();
    assert_eq!(modes, ["advanced-chat", "agent-chat", "chat", "completion", "workflow"], "one app per mode");
    let parrot = tour.json("/apps/Parrot/describe");
    assert_eq!(parrot["info"]["mode"], "chat");
    assert!(parrot["parameters"]["user_input_form"].is_array() && parrot["input_schema"].is_object(), "{parrot}");
    let id = parrot["info"]["id"].clone();
    tour.0.push(("APP", id.as_str().unwrap()));

    // The demo model sends a word every 30 ms. A delayed reader can receive all words at once, so the check is
    // repeated; a buffered stream would fail every time.
    let apart = (0..5).any(|_| {
        let (events, took) = tour.events("/apps/$APP/run");
        let answers: Vec<_> = events.iter().filter(|event| event["event"] == "message").collect();
        let words: Vec<_> = answers.iter().map(|event| event["answer"].as_str().unwrap()).collect();
        assert_eq!(words, ["You", " said:", " it", " streams"]);
        assert_eq!(events.last().unwrap()["event"], "message_end");
        took >= Duration::from_millis(60)
    });
    assert!(apart, "the words arrived separately");
}

/// The error line of a command that cannot start.
fn error_line(output: &Output) -> String {
    let line = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn new_user_follows_the_readme_from_sign_in_to_revocation() {
    let Some(chromium) = Chromium::start().await else { return };
    let data = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(data.path());
    let url = server.url.clone();
    for words in [format!("{url}/device"), format!("{OWNER} / {PASSWORD}"), format!("difyctl auth login --host {url}")]
    {
        assert!(server.output.contains(&words), "{words}: {}", server.output);
    }

    let codes =
        server.post("/openapi/v1/oauth/device/code", &[("client_id", "difyctl"), ("device_label", "my laptop")]).await;
    assert_eq!(codes["verification_uri"], json!(format!("{url}/device")));
    chromium.open(codes["verification_uri_complete"].as_str().unwrap()).await;
    assert_eq!(json!(chromium.field_value("#user_code").await), codes["user_code"]);
    chromium.follow(SUBMIT).await;
    chromium.type_into("#email", OWNER).await;
    chromium.type_into("#password", PASSWORD).await;
    chromium.follow(SUBMIT).await;
    assert_eq!(json!(chromium.text_of(".code strong").await), codes["user_code"]);
    chromium.click("#mine").await;
    chromium.follow(AUTHORIZE).await;
    assert_eq!(chromium.text_of("h1").await, "Device authorized");

    let poll = [("client_id", "difyctl"), ("device_code", codes["device_code"].as_str().unwrap())];
    let token = server.post("/openapi/v1/oauth/device/token", &poll).await;
    let token = token["access_token"].as_str().unwrap();
    assert_eq!(server.account(token).await, 200);
    tokio::task::block_in_place(|| follow_readme_tour(&url, token));

    chromium.follow("main a.button").await;
    assert_eq!(chromium.address().await, format!("{url}/device/sessions"));
    assert_eq!(chromium.text_of(".sessions h2").await, "my laptop");
    chromium.follow(".sessions a.danger").await;
    chromium.follow("main button.danger").await;
    assert_eq!(chromium.text_of(".empty h2").await, "No device is signed in");
    assert_eq!(server.account(token).await, 401);
    assert_eq!(chromium.browser_errors().await, Vec::<String>::new());

    process::terminate(&server.process.0);
    let status = process::wait_for_exit(&mut server.process.0);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_directory_is_locked_by_one_process() {
    let data = tempfile::tempdir().unwrap();
    let server = DevServer::start(data.path());
    let second = tokio::task::spawn_blocking({
        let mut command = dev_command(data.path(), "127.0.0.1:0");
        move || command.output().unwrap()
    });
    let line = error_line(&second.await.unwrap());
    assert!(line.contains(&data.path().display().to_string()), "the error names the directory: {line}");
    assert_eq!(server.account("dfoa_nobody").await, 401, "the first process continues");
    drop(server);
    // Files that the first process left do not prevent a restart.
    let mut again = DevServer::start(data.path());
    process::terminate(&again.process.0);
    assert!(process::wait_for_exit(&mut again.process.0).is_some_and(|status| status.success()));
}

#[test]
fn dev_listens_on_loopback_only() {
    let data = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "192.0.2.1:5001", "[::]:5001"] {
        let line = error_line(&dev_command(data.path(), listen).output().unwrap());
        assert!(line.contains("loopback") && line.contains(listen), "{line}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "no file was created");
}
