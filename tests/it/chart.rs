//! The chart's memory limit and the sizes of the memory ledger belong together.

use std::fs;

use crate::support::{
    command::{run_command, succeeded},
    server::SECRET_KEY,
};

fn file(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The MiB of `limits: {memory: …Mi}` of the Deployment, which is the first of the chart.
fn chart_limit(values: &str) -> usize {
    let limit = values.lines().find_map(|line| line.trim().strip_prefix("limits: {memory: ")?.strip_suffix("Mi}"));
    limit.unwrap().parse().unwrap()
}

/// What `check-config` prints for the memory.
fn printed(mib: usize) -> String {
    let data = tempfile::tempdir().unwrap();
    let variables = [
        ("SECRET_KEY", SECRET_KEY.to_owned()),
        ("DEPLOY_ENV", "DEVELOPMENT".to_owned()),
        ("CONSOLE_WEB_URL", "http://127.0.0.1:5001".to_owned()),
        ("DATA_DIR", data.path().display().to_string()),
        ("MEMORY_LIMIT_MIB", mib.to_string()),
    ];
    let (output, _) = succeeded(run_command(variables, &["check-config"], ""));
    output.lines().find_map(|line| line.strip_prefix("MEMORY_LIMIT_MIB=")).unwrap().to_owned()
}

#[test]
fn chart_limit_is_the_one_of_the_hostile_load() {
    let limit = chart_limit(&file("charts/dify-openapi/values.yaml"));
    assert!(file("tests/hostile_load/limit.rs").contains(&format!("LIMIT_MIB: u32 = {limit};")));
}

#[test]
fn chart_describes_what_the_ledger_makes_of_its_limit() {
    let values = file("charts/dify-openapi/values.yaml");
    let printed = printed(chart_limit(&values));
    insta::assert_snapshot!(printed, @"512 (set: connections=102,bodies=25,json=51,hashing=51,runs=102,templates=25,events=25,files=25; 819 connections, of one address 204, 1638 requests and 819 unfinished bodies)");
    let (_, counts) = printed.trim_end_matches(')').split_once("; ").unwrap();
    assert!(values.replace("\n  # ", " ").contains(counts), "values.yaml describes: {counts}");
}
