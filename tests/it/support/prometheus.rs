//! A Prometheus that scrapes one server, and evaluates the alerts of the chart in seconds in place of minutes.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::Client;
use serde_json::Value;

use super::{Answer, process::Process, server::free_port};

/// The directory of the chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/dify-openapi");
/// The name of its only job.
const JOB: &str = "dify-openapi";
/// The time over which rates are computed, with 20 scrapes.
pub const RATE_INTERVAL: &str = "10s";
/// The time in which jobs that run every ten seconds fail more than three times.
const JOB_INTERVAL: &str = "45s";

pub struct Prometheus {
    url: String,
    directory: tempfile::TempDir,
    _process: Process,
}

impl Prometheus {
    /// Starts one that scrapes `target`, an address and a port, and waits for the first scrape.
    pub async fn start(target: &str) -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let file = |name: &str| directory.path().join(name);
        fs::write(file("rules.yaml"), rules()).unwrap();
        let configuration = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}\n\
             rule_files: [rules.yaml]\n\
             scrape_configs: [{{job_name: {JOB}, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(file("prometheus.yaml"), configuration).unwrap();
        let log = fs::File::create(file("log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", file("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let prometheus = Self { url: format!("http://127.0.0.1:{port}"), directory, _process: Process(child) };
        for _ in 0..600 {
            let ready = reqwest::get(format!("{}/-/ready", prometheus.url)).await;
            if ready.is_ok_and(|response| response.status() == 200) && prometheus.query("up").await == [1.0] {
                return prometheus;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("Prometheus does not scrape {target}: {}", prometheus.log());
    }

    /// The alerts that fire now.
    pub async fn firing(&self) -> BTreeSet<String> {
        let data = self.get("alerts", &[]).await;
        let alerts = data["alerts"].as_array().unwrap().iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }

    /// The present values of an expression.
    pub async fn query(&self, expression: &str) -> Vec<f64> {
        let data = self.get("query", &[("query", expression)]).await;
        let samples = data["result"].as_array().unwrap().iter();
        samples.map(|sample| sample["value"][1].as_str().unwrap().parse().unwrap()).collect()
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{path}", self.url);
        let mut answer = Answer::to(Client::new().get(url).query(query)).await.json();
        assert_eq!(answer["status"], "success", "{query:?}: {answer}\n{}", self.log());
        answer["data"].take()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

/// The alerts of the chart, which fire after a second.
fn rules() -> String {
    let rules = fs::read_to_string(Path::new(CHART).join("alerts/rules.yaml")).unwrap();
    let mut short = String::new();
    for line in rules.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = if line.trim_start().starts_with("for: ") { &format!("{:indent$}for: 1s", "") } else { line };
        short += line;
        short.push('\n');
    }
    let rate = format!("[{RATE_INTERVAL}]");
    let short = short.replace("[10m]", &rate).replace("[15m]", &rate).replace("[1h]", &format!("[{JOB_INTERVAL}]"));
    assert!(!short.contains("m]") && !short.contains("h]"), "an interval is still long: {short}");
    short.replace("job=\"JOB\"", &format!("job=\"{JOB}\""))
}
