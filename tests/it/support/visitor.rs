//! A person who uses the pages of a server with a real browser.

use std::ops::Deref;

use super::{
    Chromium, Device, Stores, TestServer,
    server::{OWNER, PASSWORD},
};

/// The submit button of the page's form.
pub const SUBMIT: &str = "main button.primary";
/// The Authorize button.
pub const AUTHORIZE: &str = "button[type=submit].primary";
/// The Cancel button beside it.
pub const CANCEL: &str = "button[formaction]";

pub struct Visitor {
    pub chromium: Chromium,
    pub server: TestServer,
}

impl Deref for Visitor {
    type Target = Chromium;

    fn deref(&self) -> &Chromium {
        &self.chromium
    }
}

impl Visitor {
    /// Starts a browser and a server; `None` with a message without a browser.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// Like `start`, with variables of the server.
    pub async fn start_with(variables: &[(&str, &str)]) -> Option<Self> {
        let chromium = Chromium::start().await?;
        let server = TestServer::start_with(Stores::Sqlite, variables).await;
        Some(Self { chromium, server })
    }

    /// Like `start`, at a running server.
    pub async fn start_on(server: TestServer) -> Option<Self> {
        Some(Self { chromium: Chromium::start().await?, server })
    }

    /// The command that the pages show for signing a device in.
    pub fn login_command(&self) -> String {
        format!("difyctl auth login --host {} --insecure", self.server.url)
    }

    /// The same browser with one tab and no cookies, at a new server.
    pub async fn restart_with(self, variables: &[(&str, &str)]) -> Self {
        let Self { chromium, server } = self;
        server.stop().await;
        let tabs = chromium.get("/window/handles").await;
        for tab in tabs.as_array().unwrap().iter().skip(1) {
            chromium.switch_to_tab(tab.as_str().unwrap()).await;
            chromium.close_tab().await;
        }
        chromium.switch_to_tab(tabs[0].as_str().unwrap()).await;
        chromium.open("about:blank").await;
        chromium.devtools("Network.clearBrowserCookies", serde_json::json!({})).await;
        chromium.devtools("Network.setExtraHTTPHeaders", serde_json::json!({"headers": {}})).await;
        let server = TestServer::start_with(Stores::Sqlite, variables).await;
        Self { chromium, server }
    }

    /// Opens a path of the server.
    pub async fn visit(&self, path: &str) {
        self.open(&self.server.at(path)).await;
    }

    pub async fn delete_cookie(&self, cookie: &str) {
        self.delete(&format!("/cookie/{cookie}")).await;
    }

    /// The path and query of the page, without the signature of a notice.
    pub async fn path(&self) -> String {
        let address = self.address().await;
        without_signature(address.strip_prefix(&self.server.url).unwrap_or(&address))
    }

    /// Waits for this path, and submits the page that continues a session where scripts do not.
    pub async fn continue_session_to(&self, path: &str) {
        for _ in 0..200 {
            if self.path().await == path {
                return;
            }
            if self.has_no_scripts() && self.count("[data-submit-once]").await == 1 {
                self.follow(SUBMIT).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{} instead of {path}", self.path().await);
    }

    /// Submits the sign-in form of the page.
    pub async fn sign_in_as(&self, email: &str, password: &str) {
        self.run("document.querySelector('#email').value = ''", &[]).await;
        self.type_into("#email", email).await;
        self.type_into("#password", password).await;
        self.follow(SUBMIT).await;
    }

    /// Signs the owner in on the sign-in page.
    pub async fn sign_in(&self) {
        self.visit("/signin").await;
        self.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(self.path().await, "/device");
    }

    /// A new device with a pair of codes.
    pub async fn device(&self, label: &str) -> Device {
        Device::start(&self.server, label).await
    }

    /// Types a code into the form and submits it.
    pub async fn enter_code(&self, code: &str) {
        self.visit("/device").await;
        self.type_into("#user_code", code).await;
        self.follow(SUBMIT).await;
    }

    /// Follows the link of the language switch to a language.
    pub async fn switch_language(&self, tag: &str) {
        self.follow(&format!("footer a[hreflang={tag}]")).await;
    }
}

/// A path without the signature of its notice, which differs for each browser.
pub fn without_signature(path: &str) -> String {
    match path.split_once("notice=").and_then(|(before, notice)| Some((before, notice.split_once('.')?.0))) {
        Some((before, notice)) => format!("{before}notice={notice}"),
        None => path.to_owned(),
    }
}
