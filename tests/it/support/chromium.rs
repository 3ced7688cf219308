//! A Chromium process, driven through chromedriver: W3C WebDriver over HTTP, and DevTools commands.
//!
//! The test starts both processes itself and knows their ids, so that a failed test stops both.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{process::Process, window::Emulation};

/// The key of an element's id (W3C WebDriver section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The time limit of a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// A browser with an empty profile.
pub struct Chromium {
    // The order of the drops: browser, driver, profile.
    _browser: Process,
    _driver: Process,
    // Stays open, because chromedriver writes to it.
    _driver_output: BufReader<ChildStdout>,
    profile: tempfile::TempDir,
    http: reqwest::Client,
    session: String,
    pub(super) emulation: Mutex<Emulation>,
}

impl Chromium {
    /// Starts a browser. `None` with a message when a program is missing; with `TEST_BROWSER=required` that fails.
    pub async fn start() -> Option<Self> {
        let (Some(browser), Some(driver)) = (program("chromium"), program("chromedriver")) else {
            return missing("chromium and chromedriver");
        };
        if !super::axe::script().exists() {
            return missing("target/test-tools/node_modules/axe-core, which tests/run installs");
        }
        super::server::install_crypto();
        let profile = tempfile::tempdir().unwrap();
        let browser = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--remote-debugging-port=0", "--window-size=1280,900", "--accept-lang=en-US", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            // Further directories of the browser end with its profile.
            .env("TMPDIR", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let browser = Process(browser);
        let (driver, output, port) = start_driver(&driver);
        let mut chromium = Self {
            _browser: browser,
            _driver: driver,
            _driver_output: output,
            profile,
            http: reqwest::Client::builder().timeout(COMMAND_TIMEOUT).build().unwrap(),
            session: format!("http://127.0.0.1:{port}/session"),
            emulation: Mutex::default(),
        };
        let debugger = chromium.debugger_address().await;
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"debuggerAddress": debugger},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = chromium.post("", &wanted).await;
        chromium.session = format!("{}/{}", chromium.session, session["sessionId"].as_str().unwrap());
        Some(chromium)
    }

    /// The address of the debugging port, which Chromium writes to a file once it listens.
    async fn debugger_address(&self) -> String {
        let file = self.profile.path().join("DevToolsActivePort");
        for _ in 0..600 {
            if let Some(port) =
                std::fs::read_to_string(&file).ok().and_then(|text| text.lines().next().map(str::to_owned))
            {
                return format!("127.0.0.1:{port}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("chromium did not start");
    }

    /// Sends a WebDriver command.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let response = self.http.post(format!("{}{path}", self.session)).json(body).send().await.unwrap();
        value(path, response.json().await.unwrap())
    }

    /// Reads a WebDriver resource.
    pub async fn get(&self, path: &str) -> Value {
        let response = self.http.get(format!("{}{path}", self.session)).send().await.unwrap();
        value(path, response.json().await.unwrap())
    }

    /// Deletes a WebDriver resource.
    pub async fn delete(&self, path: &str) -> Value {
        let response = self.http.delete(format!("{}{path}", self.session)).send().await.unwrap();
        value(path, response.json().await.unwrap())
    }

    /// Sends a DevTools command.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters})).await
    }

    /// Runs the body of a function in the page and returns its result.
    pub async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": arguments})).await
    }

    /// Like `run`; `None` when the page is replaced meanwhile.
    pub async fn try_run(&self, script: &str) -> Option<Value> {
        let body = json!({"script": script, "args": []});
        let response = self.http.post(format!("{}/execute/sync", self.session)).json(&body).send().await.unwrap();
        let mut answer: Value = response.json().await.unwrap();
        answer["value"]["error"].is_null().then(|| answer["value"].take())
    }

    /// The WebDriver path of the first element that matches; fails when there is none.
    pub async fn element(&self, css: &str) -> String {
        let found = self.post("/element", &json!({"using": "css selector", "value": css})).await;
        format!("/element/{}", found[ELEMENT].as_str().unwrap())
    }

    /// The number of matching elements.
    pub async fn count(&self, css: &str) -> usize {
        let found = self.post("/elements", &json!({"using": "css selector", "value": css})).await;
        found.as_array().unwrap().len()
    }
}

fn value(path: &str, mut answer: Value) -> Value {
    assert!(answer["value"]["error"].is_null(), "{path}: {}: {}", answer["value"]["error"], answer["value"]["message"]);
    answer["value"].take()
}

/// Starts chromedriver on a free port; again when another process took the port first.
fn start_driver(program: &Path) -> (Process, BufReader<ChildStdout>, u16) {
    for _ in 0..5 {
        let mut driver =
            Command::new(program).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(driver.stdout.take().unwrap());
        let line =
            output.by_ref().lines().map_while(Result::ok).find(|line| line.contains("started successfully on port"));
        if let Some(port) = line.and_then(|line| line.trim_end_matches('.').rsplit(' ').next()?.parse().ok()) {
            return (Process(driver), output, port);
        }
        drop(Process(driver));
    }
    panic!("chromedriver did not start");
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| Path::is_file(file))
}

fn missing<T>(what: &str) -> Option<T> {
    assert!(std::env::var_os("TEST_BROWSER").is_none_or(|value| value != "required"), "missing: {what}");
    eprintln!("browser tests are skipped; missing: {what}");
    None
}
