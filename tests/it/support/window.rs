//! What a person does at a window: goes to pages, types, clicks, reads; and what a test adds: looks, pictures, checks.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Chromium, axe};

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// CSS pixels.
    pub width: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
}

/// A desktop in daylight.
pub const DESKTOP: View = View { width: 1280, scheme: "light" };
/// The narrowest there is.
pub const NARROW: View = View { width: 320, scheme: "light" };
/// Both widths in both schemes.
pub const VIEWS: [View; 4] = [DESKTOP, View { scheme: "dark", ..DESKTOP }, NARROW, View { scheme: "dark", ..NARROW }];

/// What DevTools makes of a tab. It does so for that tab alone, so each new one is told again.
#[derive(Clone, Copy, Default)]
pub struct Emulation {
    view: Option<View>,
    without_scripts: bool,
}

/// A page that says whether scripts run.
const TELLTALE: &str = "data:text/html,<meta name=viewport content='width=device-width'><p id=said>quiet</p>\
                        <script>document.querySelector('p').textContent = 'ran'</script>";

impl Chromium {
    /// Opens an address.
    pub async fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url})).await;
    }

    /// The address shown.
    pub async fn address(&self) -> String {
        self.get("/url").await.as_str().unwrap().to_owned()
    }

    /// The text a person can read.
    pub async fn text(&self) -> String {
        self.text_of("body").await
    }

    /// The text of one part.
    pub async fn text_of(&self, css: &str) -> String {
        let path = self.element(css).await;
        self.get(&format!("{path}/text")).await.as_str().unwrap().to_owned()
    }

    /// What a field holds.
    pub async fn field(&self, css: &str) -> String {
        let path = self.element(css).await;
        self.get(&format!("{path}/property/value")).await.as_str().unwrap().to_owned()
    }

    /// Clicks.
    pub async fn click(&self, css: &str) {
        let path = self.element(css).await;
        self.post(&format!("{path}/click"), &json!({})).await;
    }

    /// Clicks on what leads to another page, or to the same one again, and waits for that.
    pub async fn follow(&self, css: &str) {
        self.run("window.left = false", &[]).await;
        self.click(css).await;
        for _ in 0..1_000 {
            let script = "return window.left === undefined && document.readyState === 'complete'";
            if self.try_run(script).await == Some(true.into()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{css} led nowhere");
    }

    /// Types.
    pub async fn enter(&self, css: &str, text: &str) {
        let path = self.element(css).await;
        self.post(&format!("{path}/value"), &json!({"text": text})).await;
    }

    /// Types where the focus is, as a keyboard does.
    pub async fn press(&self, text: &str) {
        for key in text.chars() {
            self.devtools("Input.dispatchKeyEvent", json!({"type": "char", "text": key})).await;
        }
    }

    /// Types where the focus is through an input method: composed first, then taken.
    pub async fn compose(&self, text: &str) {
        let end = text.chars().count();
        let composed = json!({"text": text, "selectionStart": end, "selectionEnd": end});
        self.devtools("Input.imeSetComposition", composed).await;
        self.devtools("Input.insertText", json!({"text": text})).await;
    }

    /// Waits for an element that a script is about to show.
    pub async fn until(&self, css: &str) {
        for _ in 0..200 {
            if self.count(css).await > 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{css} never came");
    }

    /// Waits for what a script is about to do.
    pub async fn until_true(&self, script: &str) {
        for _ in 0..200 {
            if self.run(script, &[]).await == true {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("`{script}` never came true");
    }

    /// Goes back, as the browser's button does.
    pub async fn back(&self) {
        self.post("/back", &json!({})).await;
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.post("/refresh", &json!({})).await;
    }

    /// Opens another tab that is looked at in the same way, goes there, and says where it was and where it is now.
    pub async fn another_tab(&self) -> (String, String) {
        let old = self.get("/window").await.as_str().unwrap().to_owned();
        let new = self.post("/window/new", &json!({"type": "tab"})).await["handle"].as_str().unwrap().to_owned();
        self.to_tab(&new).await;
        self.emulate_again().await;
        (old, new)
    }

    /// Makes a new tab like those before it, and sees that it is.
    async fn emulate_again(&self) {
        let Emulation { view, without_scripts } = *self.emulation.lock();
        if let Some(view) = view {
            self.view(view).await;
        }
        if without_scripts {
            self.without_scripts().await;
        }
        self.open(TELLTALE).await;
        assert_eq!(self.run("return innerWidth", &[]).await, view.unwrap_or(DESKTOP).width);
        assert_eq!(self.text_of("#said").await, if without_scripts { "quiet" } else { "ran" });
    }

    /// Goes to a tab.
    pub async fn to_tab(&self, handle: &str) {
        self.post("/window", &json!({"handle": handle})).await;
    }

    /// Closes the tab.
    pub async fn close_tab(&self) {
        self.delete("/window").await;
    }

    /// Pastes into the field that has the focus, through the system's clipboard.
    pub async fn paste(&self, text: &str) {
        let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        self.devtools("Browser.grantPermissions", permissions).await;
        self.run("return navigator.clipboard.writeText(arguments[0])", &[json!(text)]).await;
        let key = json!({"type": "keyDown", "key": "v", "modifiers": 2, "commands": ["paste"]});
        self.devtools("Input.dispatchKeyEvent", key).await;
    }

    /// Switches the scripts of pages off. The test's own still run.
    pub async fn without_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
        self.emulation.lock().without_scripts = true;
    }

    /// Looks at the page in another way.
    pub async fn view(&self, view: View) {
        let size = json!({"width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": view.width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": view.scheme}]});
        self.devtools("Emulation.setEmulatedMedia", scheme).await;
        self.emulation.lock().view = Some(view);
    }

    /// Leaves a picture of the whole page in `target/test-output/screenshots`.
    pub async fn picture(&self, name: &str) {
        let shot = self.devtools("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/test-output/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let bytes = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// What the browser complained about since it was last asked: broken scripts, and whatever the page's policy forbade.
    /// That a page answered with 4xx is no complaint.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"})).await;
        let text = |entry: &Value| entry["message"].as_str().unwrap().to_owned();
        entries.as_array().unwrap().iter().map(text).filter(|line| !line.contains("Failed to load resource")).collect()
    }

    /// Looks at a state of a page in every way, leaves pictures, and checks what must hold of every page.
    pub async fn check(&self, name: &str) {
        let language = self.run("return document.documentElement.lang", &[]).await;
        let language = language.as_str().unwrap();
        for view in VIEWS {
            self.view(view).await;
            let seen = format!("{name}-{language}-{}-{}", view.width, view.scheme);
            self.picture(&seen).await;
            let width = self.run("return document.documentElement.scrollWidth", &[]).await;
            assert!(width.as_u64().unwrap() <= u64::from(view.width), "{seen} is {width} px wide");
            assert_eq!(axe::findings(self).await, Vec::<String>::new(), "{seen}");
        }
        self.view(DESKTOP).await;
        assert_eq!(self.complaints().await, Vec::<String>::new(), "{name}");
    }
}
