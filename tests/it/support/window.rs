//! The actions of a person in a browser window, and the checks of a test.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Chromium, axe};

/// The emulated window.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// CSS pixels.
    pub width: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
}

pub const DESKTOP: View = View { width: 1280, scheme: "light" };
/// The narrowest supported width (WCAG 2.2, 1.4.10).
pub const NARROW: View = View { width: 320, scheme: "light" };
/// Both widths in both schemes.
pub const VIEWS: [View; 4] = [DESKTOP, View { scheme: "dark", ..DESKTOP }, NARROW, View { scheme: "dark", ..NARROW }];

/// The emulation of a tab. DevTools applies it to one tab, so a new tab needs it again.
#[derive(Clone, Copy, Default)]
pub struct Emulation {
    view: Option<View>,
    without_scripts: bool,
}

/// A page whose text shows whether scripts run.
const SCRIPT_PROBE: &str = "data:text/html,<meta name=viewport content='width=device-width'><p id=scripts>off</p>\
                        <script>document.querySelector('p').textContent = 'on'</script>";

impl Chromium {
    pub async fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url})).await;
    }

    /// The URL of the page.
    pub async fn address(&self) -> String {
        self.get("/url").await.as_str().unwrap().to_owned()
    }

    /// The visible text of the page.
    pub async fn page_text(&self) -> String {
        self.text_of("body").await
    }

    /// The visible text of an element.
    pub async fn text_of(&self, css: &str) -> String {
        let path = self.element(css).await;
        self.get(&format!("{path}/text")).await.as_str().unwrap().to_owned()
    }

    pub async fn field_value(&self, css: &str) -> String {
        let path = self.element(css).await;
        self.get(&format!("{path}/property/value")).await.as_str().unwrap().to_owned()
    }

    pub async fn click(&self, css: &str) {
        let path = self.element(css).await;
        self.post(&format!("{path}/click"), &json!({})).await;
    }

    /// Clicks on an element and waits until a new page has loaded.
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
        panic!("{css} opened no page");
    }

    pub async fn type_into(&self, css: &str, text: &str) {
        let path = self.element(css).await;
        self.post(&format!("{path}/value"), &json!({"text": text})).await;
    }

    /// Types into the focused element, key by key.
    pub async fn type_keys(&self, text: &str) {
        for key in text.chars() {
            self.devtools("Input.dispatchKeyEvent", json!({"type": "char", "text": key})).await;
        }
    }

    /// Types into the focused element through an input method: composes, then inserts.
    pub async fn type_composed(&self, text: &str) {
        let end = text.chars().count();
        let composed = json!({"text": text, "selectionStart": end, "selectionEnd": end});
        self.devtools("Input.imeSetComposition", composed).await;
        self.devtools("Input.insertText", json!({"text": text})).await;
    }

    /// Waits for an element.
    pub async fn wait_for(&self, css: &str) {
        for _ in 0..200 {
            if self.count(css).await > 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{css} did not appear");
    }

    /// Waits until a script returns `true`.
    pub async fn wait_until(&self, script: &str) {
        for _ in 0..200 {
            if self.run(script, &[]).await == true {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("`{script}` did not become true");
    }

    pub async fn back(&self) {
        self.post("/back", &json!({})).await;
    }

    pub async fn reload(&self) {
        self.post("/refresh", &json!({})).await;
    }

    /// Opens a tab with the same emulation and switches to it. Returns the handles of the old and the new tab.
    pub async fn open_tab(&self) -> (String, String) {
        let old = self.get("/window").await.as_str().unwrap().to_owned();
        let new = self.post("/window/new", &json!({"type": "tab"})).await["handle"].as_str().unwrap().to_owned();
        self.switch_to_tab(&new).await;
        self.emulate_in_new_tab().await;
        (old, new)
    }

    /// Emulates the same window in a new tab, and checks that it does.
    async fn emulate_in_new_tab(&self) {
        let Emulation { view, without_scripts } = *self.emulation.lock();
        if let Some(view) = view {
            self.set_view(view).await;
        }
        if without_scripts {
            self.disable_scripts().await;
        }
        self.open(SCRIPT_PROBE).await;
        assert_eq!(self.run("return innerWidth", &[]).await, view.unwrap_or(DESKTOP).width);
        assert_eq!(self.text_of("#scripts").await, if without_scripts { "off" } else { "on" });
    }

    pub async fn switch_to_tab(&self, handle: &str) {
        self.post("/window", &json!({"handle": handle})).await;
    }

    pub async fn close_tab(&self) {
        self.delete("/window").await;
    }

    /// Pastes into the focused element through the clipboard.
    pub async fn paste(&self, text: &str) {
        let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        self.devtools("Browser.grantPermissions", permissions).await;
        self.run("return navigator.clipboard.writeText(arguments[0])", &[json!(text)]).await;
        let key = json!({"type": "keyDown", "key": "v", "modifiers": 2, "commands": ["paste"]});
        self.devtools("Input.dispatchKeyEvent", key).await;
    }

    /// Disables the scripts of pages. Scripts of the test still run.
    pub async fn disable_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
        self.emulation.lock().without_scripts = true;
    }

    pub fn has_no_scripts(&self) -> bool {
        self.emulation.lock().without_scripts
    }

    /// Changes the emulated window.
    pub async fn set_view(&self, view: View) {
        let size = json!({"width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": view.width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": view.scheme}]});
        self.devtools("Emulation.setEmulatedMedia", scheme).await;
        self.emulation.lock().view = Some(view);
    }

    /// Saves the whole page in `target/test-output/screenshots`.
    pub async fn save_screenshot(&self, name: &str) {
        let shot = self.devtools("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/test-output/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let bytes = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// The errors that the browser logged since the last call: script errors and violations of the content security
    /// policy. Responses with an error status are left out.
    pub async fn browser_errors(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"})).await;
        let text = |entry: &Value| entry["message"].as_str().unwrap().to_owned();
        entries.as_array().unwrap().iter().map(text).filter(|line| !line.contains("Failed to load resource")).collect()
    }

    /// Saves a screenshot in every view, and checks what holds for every page.
    pub async fn check_page(&self, name: &str) {
        let language = self.run("return document.documentElement.lang", &[]).await;
        let language = language.as_str().unwrap();
        for view in VIEWS {
            self.set_view(view).await;
            let label = format!("{name}-{language}-{}-{}", view.width, view.scheme);
            self.save_screenshot(&label).await;
            let width = self.run("return document.documentElement.scrollWidth", &[]).await;
            assert!(width.as_u64().unwrap() <= u64::from(view.width), "{label} is {width} px wide");
            assert_eq!(axe::violations(self).await, Vec::<String>::new(), "{label}");
        }
        self.set_view(DESKTOP).await;
        assert_eq!(self.browser_errors().await, Vec::<String>::new(), "{name}");
    }
}
