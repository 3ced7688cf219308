//! A server process that exports its traces to a collector.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    process::Process,
    server::{SECRET_KEY, free_port, install_crypto},
};

/// A server process on SQLite that exports all traces.
pub struct ExportingServer {
    pub url: String,
    pub admin: String,
    pub log: PathBuf,
    _directory: tempfile::TempDir,
    _process: Process,
}

impl ExportingServer {
    pub async fn start(endpoint: &str) -> Self {
        Self::start_with(&[("OTLP_BASE_ENDPOINT", endpoint)]).await
    }

    pub async fn start_with(variables: &[(&str, &str)]) -> Self {
        install_crypto();
        let directory = tempfile::tempdir().unwrap();
        let (port, admin, log) = (free_port(), free_port(), directory.path().join("log"));
        let url = format!("http://127.0.0.1:{port}");
        let command = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_dify-openapi"));
            command
                .args(arguments)
                .env_clear()
                .env("DATA_DIR", directory.path().join("data"))
                .env("SECRET_KEY", SECRET_KEY)
                .env("DEPLOY_ENV", "DEVELOPMENT")
                .env("CONSOLE_WEB_URL", &url)
                .env("LISTEN", format!("127.0.0.1:{port}"))
                .env("ADMIN_LISTEN", format!("127.0.0.1:{admin}"))
                .env("LOG_OUTPUT_FORMAT", "json")
                .env("TRUSTED_PROXIES", "127.0.0.1")
                .env("ENABLE_OTEL", "true")
                .env("OTEL_SAMPLING_RATE", "1")
                .env("OTEL_BSP_SCHEDULE_DELAY", "100")
                .envs(variables.iter().copied());
            command
        };
        assert!(command(&["migrate", "up"]).output().unwrap().status.success());
        let output = fs::File::create(&log).unwrap();
        let child = command(&["serve"]).stdout(output).stderr(Stdio::null()).spawn().unwrap();
        let server = Self {
            url,
            admin: format!("http://127.0.0.1:{admin}"),
            log,
            _directory: directory,
            _process: Process(child),
        };
        for _ in 0..400 {
            if reqwest::get(format!("{}/openapi/v1/_health", server.url)).await.is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server did not start: {}", fs::read_to_string(&server.log).unwrap());
    }

    /// Waits for a line of the log.
    pub async fn wait_for_line(&self, wanted: &str) {
        for _ in 0..400 {
            if fs::read_to_string(&self.log).unwrap().contains(wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no line {wanted:?} in {}", fs::read_to_string(&self.log).unwrap());
    }

    /// A sample of `/metrics`.
    pub async fn metric(&self, series: &str) -> f64 {
        let text = reqwest::get(format!("{}/metrics", self.admin)).await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(series));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    pub async fn send(&self) {
        let sent = reqwest::get(format!("{}/openapi/v1/_version", self.url)).await.unwrap();
        assert_eq!(sent.status(), 200);
    }
}
