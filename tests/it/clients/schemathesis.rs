//! schemathesis, with every check on: what the OpenAPI document says is what the server does, for whatever is sent.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use dify_openapi::testing::ports::clock::Clock as _;

use crate::support::{
    Bearer, Browser, Stores, TestServer,
    apps::shared_workspace,
    server::{OWNER, SERVICE_KEY},
};

/// What a test of its own limits would say first.
const NO_LIMITS: &str = "token=0,account=0,device_code=0,device_token=0,lookup=0,user_code=0,unknown_bearer=0,approve=0,revoke=0,refresh=0,login=0";
/// What pages call.
const BROWSER_PATHS: &str = "/console/|/oauth/device/";
/// What ends the session of a page.
const SESSION_ENDING_PATHS: &str = "logout|refresh-token";
/// The check that believes a cookie was left out: they come as one header here, and that is always sent.
const NEGATIVE_DATA_CHECK: &str = "negative_data_rejection";
/// Examples a method, unless `TEST_EXAMPLES` asks for more.
const EXAMPLES: &str = "40";

/// One run of it.
struct SchemathesisRun<'s> {
    server: &'s TestServer,
    /// Where the methods are.
    url: String,
    /// Sent with everything.
    headers: Vec<String>,
    /// Values of parameters that exist.
    known: Vec<(&'static str, String)>,
    /// Which methods, as its command line has it. Those of internal services are on a port of their own.
    filter: Vec<&'static str>,
}

impl<'s> SchemathesisRun<'s> {
    fn of(server: &'s TestServer) -> Self {
        let filter = vec!["--exclude-tag", "Token"];
        Self { server, url: server.url.clone(), headers: Vec::new(), known: Vec::new(), filter }
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

    /// The project's settings and what is known here, as a file.
    fn settings(&self, directory: &Path) -> PathBuf {
        let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/schemathesis.toml");
        let known: Vec<_> = self.known.iter().map(|(name, value)| format!("\"{name}\" = \"{value}\"")).collect();
        let known = known.join("\n");
        let file = directory.join("schemathesis.toml");
        std::fs::write(&file, format!("[parameters]\n{known}\n{}", std::fs::read_to_string(settings).unwrap()))
            .unwrap();
        file
    }

    /// Runs it; what it found is the panic's message.
    fn assert_passes(&self) {
        let Some(python) = std::env::var_os("TEST_PYTHON") else {
            eprintln!("no TEST_PYTHON: run by tests/run");
            return;
        };
        // It keeps what it found for later, which here is nothing.
        let directory = tempfile::tempdir().unwrap();
        let examples = std::env::var("TEST_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
        let mut command = Command::new(Path::new(&python).with_file_name("schemathesis"));
        command
            .current_dir(&directory)
            .arg("--config-file")
            .arg(self.settings(directory.path()))
            .args(["run", &self.server.at("/openapi/v1/openapi.json"), "--url", &self.url])
            .args(["--checks", "all", "--max-examples", &examples, "--phases", "examples,coverage,fuzzing"])
            .args(["--workers", "1", "--seed", "1", "--continue-on-failure", "--no-color"])
            .args(["--suppress-health-check", "all"])
            .args(&self.filter);
        for header in &self.headers {
            command.args(["--header", header]);
        }
        let done = tokio::task::block_in_place(|| command.output()).unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
        assert!(said.contains("generated"), "it tried nothing: {said}");
    }
}

async fn server() -> TestServer {
    TestServer::start_with(Stores::Sqlite, &[("OPENAPI_RATE_LIMITS", NO_LIMITS)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_without_a_bearer_match_the_openapi_document() {
    SchemathesisRun::of(&server().await).assert_passes();
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_with_a_bearer_match_the_openapi_document() {
    let server = server().await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let workspace = shared_workspace(&server).await;
    let demo = dify_openapi::testing::dsl::demo::FILES[0];
    let file = dify_openapi::testing::dsl::read(demo).unwrap().app;
    let target = dify_openapi::testing::domain::app::file::ImportTarget::New;
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
    // Ending one's own is the end of everything else.
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
    SchemathesisRun::of(&server)
        .header("Cookie", &cookies.join("; "))
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

#[tokio::test(flavor = "multi_thread")]
async fn responses_to_internal_services_match_the_openapi_document() {
    let server = server().await;
    let mut run =
        SchemathesisRun::of(&server).header("Enterprise-Api-Secret-Key", SERVICE_KEY).only(&["--include-tag", "Token"]);
    run.url = server.inner("");
    run.assert_passes();
}
