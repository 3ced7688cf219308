//! Graphs run here as on graphon, the engine of Dify: generated graphs, the cases of public reports, and a corpus of
//! apps.
//!
//! Both engines call the same model and the same HTTP server (`tests/differential/upstream.py`).
//! `known_differences.json` lists what differs on purpose; an entry that no longer matches fails the test.
//!
//! `TEST_GRAPHON` names the Python that has graphon; `tests/run` sets it. `TEST_GRAPHS` is the number of generated
//! graphs, `TEST_SEED` their seed, `TEST_CASE` a part of the name of the only cases to run, and `TEST_EXAMPLES` the
//! number of examples that are printed of each kind of difference.

mod cases;
mod compare;
mod described;
mod known;
mod observation;
mod oracle;
mod service;

use std::collections::BTreeMap;

use self::{
    cases::Case,
    compare::{Difference, differences},
    known::KnownDifferences,
    oracle::{Oracle, Upstream},
    service::Service,
};

/// Generated graphs of a quick run.
const QUICK: usize = 250;
/// Kinds of differences that are printed, and examples of each.
const MOST_PRINTED: usize = 40;
const EXAMPLES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn graphs_run_as_on_graphon() {
    let Some(upstream) = Upstream::start() else { return };
    let variable = |name: &str| std::env::var(name).ok();
    let (count, seed, only) = (variable("TEST_GRAPHS"), variable("TEST_SEED"), variable("TEST_CASE"));
    let whole = seed.is_none() && only.is_none();
    let count = count.map_or(QUICK, |count| count.parse().unwrap());
    let mut cases = cases::generated(&upstream, seed.as_deref().unwrap_or("1"), count);
    cases.extend(cases::in_folder(&upstream.url, "cases"));
    cases.extend(cases::in_folder(&upstream.url, "corpus"));
    cases.retain(|case| only.as_ref().is_none_or(|only| case.name.contains(only)));
    let mut known = KnownDifferences::read();
    let unknown = run(&upstream, &cases, &mut known, only.is_some()).await;
    let examples = variable("TEST_EXAMPLES").map_or(EXAMPLES, |count| count.parse().unwrap());
    let total: usize = unknown.values().map(Vec::len).sum();
    for (kind, differences) in unknown.iter().take(MOST_PRINTED) {
        for (name, difference) in differences.iter().take(examples) {
            println!("{} × {kind}, such as {name}: {difference}", differences.len());
        }
    }
    assert_eq!(total, 0, "of {} cases; TEST_CASE=NAME prints one in full", cases.len());
    let gone = if whole && count >= QUICK { known.gone() } else { Vec::new() };
    assert!(gone.is_empty(), "known differences that are gone; remove them from known_differences.json: {gone:#?}");
}

/// The differences by kind that are not known, each with the name of its case.
async fn run(
    upstream: &Upstream,
    cases: &[Case],
    known: &mut KnownDifferences,
    print: bool,
) -> BTreeMap<String, Vec<(String, Difference)>> {
    let mut unknown: BTreeMap<String, Vec<(String, Difference)>> = BTreeMap::new();
    let mut oracle = Oracle::start(upstream, cases);
    let service = Service::start(&upstream.url).await;
    for (case, here) in cases.iter().zip(service.run_all(cases).await) {
        let there = oracle.next();
        if print {
            println!("{}\n{}\nhere  {here:#}\nthere {there:#}", case.name, case.dsl);
        }
        if let Some(difference) = known.unexplained(case, differences(case, &here, &there)) {
            unknown.entry(difference.kind()).or_default().push((case.name.clone(), difference));
        }
    }
    unknown
}
