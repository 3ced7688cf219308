//! The path of a new user: the binary itself, on a fresh machine, with a browser and `curl`.

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
    /// Posts a form, as `curl -d` does.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url)).form(form);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The status of a call with a bearer.
    async fn account(&self, token: &str) -> u16 {
        let request = reqwest::Client::new().get(format!("{}/openapi/v1/account", self.url)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    }
}

/// The commands of the README's tour, as somebody types them who has come to know these values on the way.
struct ReadmeTour<'a>(Vec<(&'a str, &'a str)>);

impl ReadmeTour<'_> {
    /// The command of the tour in which this stands.
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

    /// What it prints.
    fn json(&self, part: &str) -> Value {
        let output = self.command(part).output().unwrap();
        assert!(output.status.success(), "{part}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The events it prints, and how long after the first word the last one came.
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

/// Apps by the tour's own commands, down to a run that streams to the terminal.
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
    assert_eq!(modes, ["advanced-chat", "agent-chat", "chat", "completion", "workflow"], "one of every mode");
    let parrot = tour.json("/apps/Parrot/describe");
    assert_eq!(parrot["info"]["mode"], "chat");
    assert!(parrot["parameters"]["user_input_form"].is_array() && parrot["input_schema"].is_object(), "{parrot}");
    let id = parrot["info"]["id"].clone();
    tour.0.push(("APP", id.as_str().unwrap()));

    // The demo model speaks a word every 30 ms. A reader that is held up may find them all at once, and looks again; of a
    // stream that was gathered on the way it never finds anything else.
    let apart = (0..5).any(|_| {
        let (events, took) = tour.events("/apps/$APP/run");
        let answers: Vec<_> = events.iter().filter(|event| event["event"] == "message").collect();
        let words: Vec<_> = answers.iter().map(|event| event["answer"].as_str().unwrap()).collect();
        assert_eq!(words, ["You", " said:", " it", " streams"]);
        assert_eq!(events.last().unwrap()["event"], "message_end");
        took >= Duration::from_millis(60)
    });
    assert!(apart, "the words came together");
}

/// What a command says that cannot start, in one sentence.
fn error_line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
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
    chromium.enter("#email", OWNER).await;
    chromium.enter("#password", PASSWORD).await;
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
    assert_eq!(chromium.complaints().await, Vec::<String>::new());

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
    let said = error_line(&second.await.unwrap());
    assert!(said.contains(&data.path().display().to_string()), "it says where: {said}");
    assert_eq!(server.account("dfoa_nobody").await, 401, "the first one goes on");
    drop(server);
    // What is left of the first is no obstacle, and what it made is kept.
    let mut again = DevServer::start(data.path());
    process::terminate(&again.process.0);
    assert!(process::wait_for_exit(&mut again.process.0).is_some_and(|status| status.success()));
}

#[test]
fn dev_listens_on_loopback_only() {
    let data = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "192.0.2.1:5001", "[::]:5001"] {
        let said = error_line(&dev_command(data.path(), listen).output().unwrap());
        assert!(said.contains("loopback") && said.contains(listen), "{said}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "nothing was made");
}
