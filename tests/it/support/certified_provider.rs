//! The certified OpenID provider of npm, `oidc-provider`, in a process of its own.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{ChildStdout, Command, Stdio},
};

use super::{process::Process, server::free_port};

/// The provider's client.
pub const CLIENT_ID: &str = "dify";
pub const CLIENT_SECRET: &str = "the secret of the tests";

/// A provider, and the port of the server that it returns people to.
pub struct CertifiedProvider {
    pub issuer: String,
    /// Where the server has to listen.
    server: String,
    _process: Process,
    // Stays open, because the provider writes to it.
    _output: BufReader<ChildStdout>,
}

impl CertifiedProvider {
    /// Starts a provider for single sign-on. `None` with a message when it is not installed; with
    /// `TEST_BROWSER=required` that fails.
    pub fn start() -> Option<Self> {
        Self::start_for("/openapi/v1/oauth/device/sso-complete")
    }

    /// Starts a provider whose client has a redirect URI with this path.
    pub fn start_for(path: &str) -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let modules = root.join("target/test-tools/oidc-provider/node_modules");
        if !modules.join("oidc-provider").exists() {
            assert!(std::env::var_os("TEST_BROWSER").is_none_or(|value| value != "required"), "no oidc-provider");
            eprintln!("tests with oidc-provider are skipped; tests/run installs it");
            return None;
        }
        let server = format!("127.0.0.1:{}", free_port());
        let mut process = Command::new("node")
            .arg(root.join("tests/oidc_provider/provider.mjs"))
            .arg(modules)
            .arg(format!("http://{server}{path}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let process = Process(process);
        let ready = output
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        let issuer = ready.unwrap();
        Some(Self { issuer, server, _process: process, _output: output })
    }

    /// The variables of a server where the provider returns people to.
    pub fn address(&self) -> Vec<(&'static str, String)> {
        vec![("LISTEN", self.server.clone()), ("CONSOLE_WEB_URL", format!("http://{}", self.server))]
    }

    /// The variables of a server that uses this provider for single sign-on.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let own = [
            ("ENTERPRISE_ENABLED", "true"),
            ("SSO_OIDC_ISSUER", self.issuer.as_str()),
            ("SSO_OIDC_CLIENT_ID", CLIENT_ID),
            ("SSO_OIDC_CLIENT_SECRET", CLIENT_SECRET),
            ("SSO_OIDC_NAME", "Partner"),
        ];
        self.address().into_iter().chain(own.map(|(name, value)| (name, value.to_owned()))).collect()
    }
}
