//! The direction of dependencies, read off the sources: what each part of `src/` may know of.

use std::{collections::BTreeSet, fs, path::Path};

/// A part, and the parts it may use besides itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("ports", &["domain"]),
    ("config", &["domain", "ports"]),
    ("telemetry", &["domain", "ports", "config"]),
    ("store", &["domain", "ports"]),
    ("dsl", &["domain", "runtime"]),
    ("runtime", &["domain", "ports", "store", "telemetry"]),
    ("service", &["domain", "ports", "store", "telemetry"]),
    ("pipeline", &["domain", "service", "telemetry"]),
    ("rpc", &["domain", "service", "telemetry"]),
    ("http", &["domain", "ports", "config", "service", "pipeline", "rpc", "telemetry"]),
    ("jobs", &["domain", "service"]),
];

fn sources(path: &Path, files: &mut Vec<std::path::PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            sources(&entry.unwrap().path(), files);
        }
    } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
        files.push(path.to_owned());
    }
}

/// The parts named after `crate::` in a file, imports in braces included.
fn used(text: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut used = BTreeSet::new();
    for (place, _) in text.match_indices("crate::") {
        let rest = &text[place + "crate::".len()..];
        let Some(braced) = rest.strip_prefix('{') else {
            used.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut fresh = true;
        for (at, symbol) in braced.char_indices() {
            match symbol {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                symbol if fresh && depth == 0 && !symbol.is_whitespace() => {
                    used.insert(word(&braced[at..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    used
}

#[test]
fn dependencies_point_inward() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();
    for (part, allowed) in MAY_USE {
        let mut files = Vec::new();
        sources(&src.join(part), &mut files);
        sources(&src.join(format!("{part}.rs")), &mut files);
        assert!(!files.is_empty(), "there is no {part}");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // Unit tests may build what they test with.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for used in used(code) {
                let known = MAY_USE.iter().any(|(name, _)| *name == used) || ["app", "cli"].contains(&used.as_str());
                if known && used != *part && !allowed.contains(&used.as_str()) {
                    faults.push(format!("{} uses {used}", file.strip_prefix(&src).unwrap().display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn stores_frameworks_and_statuses_stay_where_they_belong() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    for file in files {
        let name = file.strip_prefix(&src).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            !text.contains("sea_orm") || name.starts_with("store/sql") || name == "telemetry.rs",
            "{name} knows SeaORM"
        );
        assert!(!text.contains("Utc::now()") || name == "ports/clock.rs", "{name} asks the machine for the time");
        let pure = name.starts_with("domain");
        assert!(
            !pure || !["tokio::", "axum::", "tonic::"].iter().any(|crate_| text.contains(crate_)),
            "{name} is not pure"
        );
    }
}
