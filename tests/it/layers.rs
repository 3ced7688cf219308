//! The direction of dependencies, read from the sources: which part of `src/` may use which, and that no files use each
//! other in a circle.

mod imports;

use std::collections::{BTreeMap, BTreeSet};

use self::imports::{SourceFile, uses};

/// Each part, and the parts that it may use besides itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("expiring_cache", &[]),
    ("memory", &["domain"]),
    ("ports", &["domain", "memory"]),
    ("trusted_roots", &[]),
    ("config", &["domain", "ports", "memory", "trusted_roots"]),
    ("telemetry", &["domain", "ports", "config", "memory", "http_client"]),
    ("store", &["domain", "ports", "http_client"]),
    ("http_client", &["domain", "ports", "trusted_roots"]),
    ("dsl", &["domain", "memory", "ports", "runtime"]),
    ("runtime", &["domain", "expiring_cache", "memory", "ports", "store", "http_client", "telemetry"]),
    ("enterprise", &["domain", "expiring_cache", "memory", "ports", "store", "http_client", "telemetry"]),
    (
        "connections",
        &["domain", "dsl", "expiring_cache", "memory", "ports", "runtime", "store", "http_client", "telemetry"],
    ),
    ("service", &["domain", "expiring_cache", "memory", "ports", "store", "telemetry"]),
    ("pipeline", &["domain", "service", "telemetry"]),
    ("rpc", &["domain", "memory", "service", "telemetry"]),
    ("http", &["domain", "memory", "ports", "config", "service", "pipeline", "rpc", "telemetry"]),
    ("jobs", &["domain", "ports", "service"]),
];
/// Parts that only the program's entry point uses.
const TOP: [&str; 2] = ["app", "cli"];

#[test]
fn dependencies_point_inward() {
    let files = SourceFile::all();
    let mut violations = Vec::new();
    for (part, allowed) in MAY_USE {
        let of_part: Vec<_> = files.iter().filter(|file| file.module[0] == *part).collect();
        assert!(!of_part.is_empty(), "there is no part {part}");
        for file in of_part {
            let used: BTreeSet<_> = file.paths().into_iter().filter_map(|path| path.into_iter().next()).collect();
            for used in used {
                let is_part = MAY_USE.iter().any(|(name, _)| *name == used) || TOP.contains(&used.as_str());
                if is_part && used != *part && !allowed.contains(&used.as_str()) {
                    violations.push(format!("{} uses {used}", file.name));
                }
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let circles = circles(&uses(&SourceFile::all()));
    assert!(circles.is_empty(), "circles of modules: {circles:#?}");
}

/// The sets of modules of which each uses every other one, directly or through others of the set.
fn circles(uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<BTreeSet<String>> {
    let reachable: BTreeMap<&String, BTreeSet<String>> = uses.keys().map(|from| (from, reach(from, uses))).collect();
    let circle_of = |module: &String| {
        let back = |other: &&String| reachable[other].contains(module);
        reachable[module].iter().filter(back).cloned().collect::<BTreeSet<_>>()
    };
    uses.keys().map(circle_of).filter(|circle| !circle.is_empty()).collect()
}

/// The modules that a module uses, and those that these use, and so on.
fn reach(from: &String, uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        next.extend(uses[module].iter().filter(|used| reached.insert((*used).clone())));
    }
    reached
}

#[test]
fn a_circle_through_several_modules_is_found() {
    let uses = [("a", vec!["b", "d"]), ("b", vec!["c"]), ("c", vec!["a"]), ("d", vec!["e"]), ("e", vec![])];
    let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    let uses = uses.into_iter().map(|(name, used)| (name.to_owned(), names(used))).collect();
    assert_eq!(circles(&uses), BTreeSet::from([names(vec!["a", "b", "c"])]));
}

#[test]
fn sea_orm_the_clock_and_frameworks_are_used_in_their_layers_only() {
    for file in SourceFile::all() {
        let (name, code) = (file.name, file.code);
        assert!(
            !code.contains("sea_orm") || name.starts_with("store/sql") || name == "telemetry.rs",
            "{name} uses SeaORM"
        );
        assert!(!code.contains("Utc::now()") || name == "ports/clock.rs", "{name} reads the system's clock");
        let framework = ["tokio::", "axum::", "tonic::"].into_iter().find(|framework| code.contains(framework));
        assert!(!name.starts_with("domain") || framework.is_none(), "{name} uses {framework:?}");
    }
}
