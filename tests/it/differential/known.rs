//! Differences that are known: on purpose, or until they are fixed.

use std::fs;

use serde::Deserialize;

use super::{
    cases::{Case, folder},
    compare::Difference,
};

#[derive(Debug, Deserialize)]
struct Entry {
    /// What the app has; `*` for any app.
    feature: String,
    /// The type of the node that differs; empty for the run, `*` for any.
    node: String,
    /// The beginning of the place in the node or run, such as `outputs` or `process_data.request`; empty for any.
    at: String,
    /// What the oracle's error contains; empty for any.
    #[serde(default)]
    error: String,
    /// Whether it explains only texts in which the oracle has the names of references in addition.
    #[serde(default)]
    missing_reference: bool,
    /// Whether it explains only nodes that refer to a node that did not run.
    #[serde(default)]
    reads_nothing: bool,
    /// Whether later nodes differ because of it, so that the rest of the case is not compared.
    #[serde(default)]
    spreads: bool,
    /// Why the difference is kept, or what is to be fixed.
    reason: String,
}

impl Entry {
    fn is_about(&self, case: &Case) -> bool {
        self.feature == "*" || case.features.contains(&self.feature)
    }

    fn explains(&self, difference: &Difference) -> bool {
        let place = difference.path.split_once('.').map_or(difference.path.as_str(), |(_, place)| place);
        let member = match place.strip_prefix("nodes.") {
            Some(node) => node.split_once('.').map_or("", |(_, member)| member),
            None => place,
        };
        (self.node == "*" || self.node == difference.node_type)
            && member.starts_with(&self.at)
            && difference.error.contains(&self.error)
            && (!self.missing_reference || difference.is_missing_reference)
            && (!self.reads_nothing || difference.reads_nothing)
    }
}

#[derive(Deserialize)]
struct File {
    deliberate: Vec<Entry>,
    open: Vec<Entry>,
}

/// The entries of `known_differences.json`.
pub struct KnownDifferences {
    entries: Vec<Entry>,
    /// For each entry: whether a case was run that it is about, and whether it explained a difference.
    uses: Vec<(bool, bool)>,
}

impl KnownDifferences {
    pub fn read() -> Self {
        let File { mut deliberate, open } =
            serde_json::from_str(&fs::read_to_string(folder("known_differences.json")).unwrap()).unwrap();
        deliberate.extend(open);
        let uses = vec![(false, false); deliberate.len()];
        Self { entries: deliberate, uses }
    }

    /// The first difference that no entry explains, up to one that spreads.
    pub fn unexplained(&mut self, case: &Case, differences: Vec<Difference>) -> Option<Difference> {
        let mut unexplained = None;
        for difference in differences {
            let entries = self.entries.iter().zip(&mut self.uses);
            let mut explaining = entries.filter(|(entry, _)| entry.is_about(case) && entry.explains(&difference));
            let Some((entry, (_, used))) = explaining.next() else {
                unexplained = Some(difference);
                break;
            };
            *used = true;
            if entry.spreads {
                return None;
            }
        }
        for (entry, (concerned, _)) in self.entries.iter().zip(&mut self.uses) {
            *concerned |= entry.is_about(case);
        }
        unexplained
    }

    /// Entries about cases that were run and that explained nothing. An entry about any app cannot be judged by one
    /// run.
    pub fn gone(&self) -> Vec<String> {
        let unused = self
            .entries
            .iter()
            .zip(&self.uses)
            .filter(|(entry, (concerned, used))| *concerned && !*used && entry.feature != "*");
        unused.map(|(entry, _)| format!("{} ({}): {}", entry.feature, entry.node, entry.reason)).collect()
    }
}
