//! The first steps of a new user: the real binary on an empty data directory, with a browser and `curl`.

use std::{
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{ChildStdout, Command, Output, Stdio},
};

use serde_json::Value;

use crate::support::{
    Chromium,
    dev_server::{DevServer, dev_command},
    process::{self, Process},
    server::{OWNER, PASSWORD},
    visitor::{AUTHORIZE, SUBMIT},
};

impl DevServer {
    /// The status of `GET /account` with a bearer token.
    async fn account(&self, token: &str) -> u16 {
        let request = reqwest::Client::new().get(format!("{}/openapi/v1/account", self.url)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    }
}

/// The shell commands of the README's tour, as they are printed, for a server at another address.
fn readme_tour(url: &str) -> [String; 2] {
    let readme = include_str!("../../README.md");
    let tour = readme.split_once("## A tour").unwrap().1.split_once("\n## ").unwrap().0;
    let (first, rest) = tour.split_once("\n### ").unwrap();
    let blocks = |text: &str| {
        let blocks = text.split("```sh\n").skip(1).map(|block| block.split_once("\n```").unwrap().0.to_owned());
        blocks.collect::<Vec<_>>().join("\n")
    };
    let printed = "H=http://127.0.0.1:5001\n";
    assert!(first.contains(printed), "the tour sets H");
    [blocks(first).replace(printed, &format!("H={url}\n")), blocks(rest)]
}

/// A shell that runs commands one after the other, and fails with the first that fails.
struct Shell {
    process: Process,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Shell {
    fn start(script: &str) -> Self {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
        // Where the tests have installed buf.
        if let Some(python) = std::env::var_os("TEST_PYTHON") {
            let tools = Path::new(&python).parent().unwrap();
            command.env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()));
        }
        let mut process = Process(command.spawn().unwrap());
        let lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// The rest of the output, when the script has succeeded.
    fn finish(mut self) -> Vec<String> {
        let rest = self.lines.by_ref().map(Result::unwrap).collect();
        assert!(self.process.0.wait().unwrap().success(), "{rest:?}");
        rest
    }
}

/// The events of a stream.
fn read_events(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
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

    let [first, rest] = readme_tour(&url);
    // The variables of the first part, for the second one.
    let mut shell = Shell::start(&format!("{first}\necho \"$A\""));
    let (page, code) = tokio::task::block_in_place(|| (shell.line(), shell.line()));
    assert_eq!(page, format!("{url}/device"));
    chromium.open(&page).await;
    chromium.type_into("#user_code", &code).await;
    chromium.follow(SUBMIT).await;
    chromium.type_into("#email", OWNER).await;
    chromium.type_into("#password", PASSWORD).await;
    chromium.follow(SUBMIT).await;
    assert_eq!(chromium.text_of(".code strong").await, code);
    chromium.click("#mine").await;
    chromium.follow(AUTHORIZE).await;
    assert_eq!(chromium.text_of("h1").await, "Device authorized");

    let lines = tokio::task::block_in_place(|| shell.finish());
    let shown = lines.join("\n");
    for text in [OWNER, "advanced-chat: ", "agent-chat: ", "chat: Parrot", "completion: ", "workflow: "] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let events = read_events(&lines);
    let answers = events.iter().filter(|event| event["event"] == "message").map(|event| event["answer"].clone());
    assert_eq!(answers.collect::<Vec<_>>(), ["You", " said:", " it", " streams"]);
    assert_eq!(events.last().unwrap()["event"], "message_end");
    let bearer = lines.last().unwrap();
    let token = bearer.strip_prefix("Authorization: Bearer ").unwrap();
    assert_eq!(server.account(token).await, 200);

    chromium.follow("main a.button").await;
    assert_eq!(chromium.address().await, format!("{url}/device/sessions"));
    assert_eq!(chromium.text_of(".sessions h2").await, "my laptop");
    if std::env::var_os("TEST_PYTHON").is_some() {
        let second = Shell::start(&format!("H={url}\nA='{bearer}'\n{rest}"));
        let shown = tokio::task::block_in_place(|| second.finish()).join("\n");
        for text in [OWNER, "my laptop, until ", "{\"status\":\"revoked\"}", "bearer_invalid"] {
            assert!(shown.contains(text), "{text}: {shown}");
        }
        chromium.open(&format!("{url}/device/sessions")).await;
    } else {
        eprintln!("no TEST_PYTHON: tests/run sets it and installs buf");
        chromium.follow(".sessions a.danger").await;
        chromium.follow("main button.danger").await;
    }
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
