//! A person with a real browser at a server.

use std::ops::Deref;

use super::{
    Chromium, Device, Stores, TestServer,
    server::{OWNER, PASSWORD},
};

/// Where the form is sent from, on every page that has one of its own.
pub const SUBMIT: &str = "main button.primary";
/// The button that authorizes.
pub const AUTHORIZE: &str = "button[type=submit].primary";
/// The button beside it.
pub const CANCEL: &str = "button[formaction]";

/// A browser and the server it looks at.
pub struct Visitor {
    /// The browser.
    pub chromium: Chromium,
    /// The server.
    pub server: TestServer,
}

impl Deref for Visitor {
    type Target = Chromium;

    fn deref(&self) -> &Chromium {
        &self.chromium
    }
}

impl Visitor {
    /// Nobody yet; `None` where there is no browser.
    pub async fn arrive() -> Option<Self> {
        Self::arrive_with(&[]).await
    }

    /// The same at a server with some variables set.
    pub async fn arrive_with(variables: &[(&str, &str)]) -> Option<Self> {
        let chromium = Chromium::start().await?;
        let server = TestServer::start_with(Stores::Sqlite, variables).await;
        Some(Self { chromium, server })
    }

    /// The same at a server that runs already.
    pub async fn arrive_at(server: TestServer) -> Option<Self> {
        Some(Self { chromium: Chromium::start().await?, server })
    }

    /// What a device runs to sign in here, as the pages say.
    pub fn login_command(&self) -> String {
        format!("difyctl auth login --host {} --insecure", self.server.url)
    }

    /// The same browser, with nothing remembered and one tab, at a new server.
    pub async fn leave_for_another(self, variables: &[(&str, &str)]) -> Self {
        let Self { chromium, server } = self;
        server.stop().await;
        let tabs = chromium.get("/window/handles").await;
        for tab in tabs.as_array().unwrap().iter().skip(1) {
            chromium.to_tab(tab.as_str().unwrap()).await;
            chromium.close_tab().await;
        }
        chromium.to_tab(tabs[0].as_str().unwrap()).await;
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

    /// Loses a cookie.
    pub async fn forget(&self, cookie: &str) {
        self.delete(&format!("/cookie/{cookie}")).await;
    }

    /// The path shown, with its query.
    pub async fn path(&self) -> String {
        let address = self.address().await;
        address.strip_prefix(&self.server.url).unwrap_or(&address).to_owned()
    }

    /// Fills in the sign-in form that is shown, and sends it.
    pub async fn sign_in_as(&self, email: &str, password: &str) {
        self.run("document.querySelector('#email').value = ''", &[]).await;
        self.enter("#email", email).await;
        self.enter("#password", password).await;
        self.follow(SUBMIT).await;
    }

    /// Signs in from nowhere in particular.
    pub async fn sign_in(&self) {
        self.visit("/signin").await;
        self.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(self.path().await, "/device");
    }

    /// A device asks for a code.
    pub async fn device(&self, label: &str) -> Device {
        Device::start(&self.server, label).await
    }

    /// Goes to the page of a device by typing its code.
    pub async fn enter_code(&self, code: &str) {
        self.visit("/device").await;
        self.enter("#user_code", code).await;
        self.follow(SUBMIT).await;
    }

    /// Switches the language from whatever page is shown.
    pub async fn switch_language(&self) {
        self.follow("footer a[hreflang]").await;
    }
}
