//! axe-core, the accessibility checker, run inside a page.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Chromium;

/// The path at which `tests/run` installs it.
pub fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/node_modules/axe-core/axe.min.js")
}

/// Runs all rules except the experimental ones. Returns one line per violation.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    const line = (rule, node) => rule.id + ' ' + node.target.join(' ') + ': ' + node.failureSummary;
    axe.run(document, { resultTypes: ['violations'] })
        .then((found) => done(found.violations.flatMap((rule) => rule.nodes.map((node) => line(rule, node)))))
        .catch((error) => done(['axe failed: ' + error]));";

/// The violations on the page, one line each.
pub async fn violations(chromium: &Chromium) -> Vec<String> {
    let source = std::fs::read_to_string(script()).unwrap();
    chromium.run(&format!("{source}; window.axe = axe;"), &[]).await;
    let found = chromium.post("/execute/async", &json!({"script": RUN, "args": Vec::<Value>::new()})).await;
    found.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}
