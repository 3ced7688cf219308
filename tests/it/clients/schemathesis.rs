//! schemathesis with all checks: generated requests receive the responses that the OpenAPI document describes.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use dify_openapi::testing::{http::internal_openapi, ports::Clock as _};

use crate::support::{
    Bearer, Browser, Stores, TestServer,
    apps::shared_workspace,
    command::succeeded,
    database::external_token,
    runs::prompt_app,
    server::{OWNER, SERVICE_KEY, no_limits},
};

/// The routes for browsers.
const BROWSER_PATHS: &str = "/console/|/oauth/device/";
/// The routes that end the console session.
const SESSION_ENDING_PATHS: &str = "logout|refresh-token";
/// A check that expects a request without a cookie to fail. All cookies are sent as one fixed header here, so none is
/// ever missing.
const NEGATIVE_DATA_CHECK: &str = "negative_data_rejection";
/// The number of examples per method unless `TEST_EXAMPLES` is set.
const EXAMPLES: &str = "40";

/// One run of schemathesis.
struct SchemathesisRun<'s> {
    server: &'s TestServer,
    /// The base URL of the methods.
    url: String,
    /// Whether the document of the internal routes is used instead of the served one.
    internal: bool,
    /// Headers of every request.
    headers: Vec<String>,
    /// Values of existing path parameters.
    known: Vec<(&'static str, String)>,
    /// Command line arguments that select methods. Internal methods are served on a separate port.
    filter: Vec<&'static str>,
}

impl<'s> SchemathesisRun<'s> {
    fn of(server: &'s TestServer) -> Self {
        let filter = vec!["--exclude-tag", "Token"];
        Self { server, url: server.url.clone(), internal: false, headers: Vec::new(), known: Vec::new(), filter }
    }

    /// A run with the document of the console and internal services.
    fn of_internal_routes(server: &'s TestServer) -> Self {
        Self { internal: true, ..Self::of(server) }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(format!("{name}: {value}"));
        self
    }

    fn only(mut self, filter: &[&'static str]) -> Self {
        self.filter = filter.to_vec();
        self
    }

    fn without(mut self, check: &'static str) -> Self {
        self.filter.extend(["--exclude-checks", check]);
        self
    }

    /// Writes the project's settings and the known values to a file.
    fn settings(&self, directory: &Path) -> PathBuf {
        let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/schemathesis.toml");
        let known: Vec<_> = self.known.iter().map(|(name, value)| format!("\"{name}\" = \"{value}\"")).collect();
        let known = known.join("\n");
        let file = directory.join("schemathesis.toml");
        std::fs::write(&file, format!("[parameters]\n{known}\n{}", std::fs::read_to_string(settings).unwrap()))
            .unwrap();
        file
    }

    /// The document: the server's address, or a file in this directory.
    fn document(&self, directory: &Path) -> String {
        if !self.internal {
            return self.server.at("/openapi/v1/openapi.json");
        }
        let file = directory.join("openapi_internal.json");
        std::fs::write(&file, internal_openapi(false)).unwrap();
        file.display().to_string()
    }

    /// Runs schemathesis and panics with its report when it fails.
    fn assert_passes(&self) {
        let Some(python) = std::env::var_os("TEST_PYTHON") else {
            eprintln!("no TEST_PYTHON: tests/run sets it");
            return;
        };
        // schemathesis stores its results in the working directory.
        let directory = tempfile::tempdir().unwrap();
        let examples = std::env::var("TEST_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
        let mut command = Command::new(Path::new(&python).with_file_name("schemathesis"));
        command
            .current_dir(&directory)
            .arg("--config-file")
            .arg(self.settings(directory.path()))
            .args(["run", &self.document(directory.path()), "--url", &self.url])
            .args(["--checks", "all", "--max-examples", &examples, "--phases", "examples,coverage,fuzzing"])
            .args(["--workers", "1", "--seed", "1", "--continue-on-failure", "--no-color"])
            .args(["--suppress-health-check", "all"])
            .args(&self.filter);
        for header in &self.headers {
            command.args(["--header", header]);
        }
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
        assert!(report.contains("generated"), "no request was generated: {report}");
    }
}

async fn server() -> TestServer {
    TestServer::start_without_limits(Stores::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_without_a_bearer_match_the_openapi_document() {
    let server = server().await;
    SchemathesisRun::of(&server).assert_passes();
    SchemathesisRun::of_internal_routes(&server).assert_passes();
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_with_a_bearer_match_the_openapi_document() {
    let server = server().await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let workspace = shared_workspace(&server).await;
    let demo = dify_openapi::testing::dsl::demo::FILES[0];
    let file = dify_openapi::testing::dsl::read(demo).unwrap().app;
    let target = dify_openapi::testing::domain::ImportTarget::New;
    let app = server.sql().import_app(workspace.parse().unwrap(), &file, target, server.clock.now()).await.unwrap();
    let mut run = SchemathesisRun::of(&server).header("Authorization", &format!("Bearer {}", bearer.token)).only(&[
        "--exclude-tag",
        "Token",
        "--exclude-path-regex",
        "/account/sessions/",
    ]);
    run.known = vec![("path.id", app.id.to_string())];
    run.assert_passes();
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_to_revocations_match_the_openapi_document() {
    let server = server().await;
    // Revoking the own session would end the other checks, so it runs separately.
    for path in ["/account/sessions/\\{", "/account/sessions/self$"] {
        let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
        SchemathesisRun::of(&server)
            .header("Authorization", &format!("Bearer {}", bearer.token))
            .only(&["--include-path-regex", path])
            .assert_passes();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_to_a_console_session_match_the_openapi_document() {
    let server = server().await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for run in [SchemathesisRun::of(&server), SchemathesisRun::of_internal_routes(&server)] {
        run.header("Cookie", &cookies.join("; "))
            .header("X-CSRF-Token", &browser.cookies["csrf_token"])
            .only(&[
                "--include-path-regex",
                BROWSER_PATHS,
                "--exclude-path-regex",
                SESSION_ENDING_PATHS,
                "--exclude-method",
                "GET",
            ])
            .without(NEGATIVE_DATA_CHECK)
            .assert_passes();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_to_internal_services_match_the_openapi_document() {
    let server = server().await;
    let mut run =
        SchemathesisRun::of(&server).header("Enterprise-Api-Secret-Key", SERVICE_KEY).only(&["--include-tag", "Token"]);
    run.url = server.inner("");
    run.assert_passes();
}

async fn enterprise_server() -> TestServer {
    let variables = [("ENTERPRISE_ENABLED", "true"), ("OPENAPI_RATE_LIMITS", &no_limits())];
    TestServer::start_with(Stores::Sqlite, &variables).await
}

#[tokio::test(flavor = "multi_thread")]
async fn enterprise_responses_without_a_bearer_match_the_openapi_document() {
    SchemathesisRun::of(&enterprise_server().await).assert_passes();
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_to_external_identities_match_the_openapi_document() {
    let server = enterprise_server().await;
    let app = prompt_app(&server, "chat").await;
    succeeded(server.command(&["app", "access-mode", "set", &app, "public"], ""));
    let (token, _) = external_token(&server, "eve@idp.example", "laptop").await;
    let mut run = SchemathesisRun::of(&server).header("Authorization", &format!("Bearer {token}")).only(&[
        "--exclude-tag",
        "Token",
        "--exclude-path-regex",
        "/account/sessions/",
    ]);
    run.known = vec![("path.id", app)];
    run.assert_passes();
}
