//! Finds variables whose names are nearly those of settings. Such a variable has no effect, which nothing else would
//! show.

use super::{
    reader::{Problem, Problems},
    settings::SETTINGS,
};

/// Names shorter than this differ too little from each other.
const MIN_LENGTH: usize = 8;
/// Letters that a misspelled name has more, fewer, different or exchanged.
const MAX_DISTANCE: usize = 2;

/// A problem for each of the names that is not a setting but nearly the name of one that is not set.
pub(crate) fn misspelled(names: impl IntoIterator<Item = String>) -> Problems {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    let is_set: Vec<_> = names.iter().map(String::as_str).collect();
    Problems(names.iter().filter_map(|name| problem(name, &is_set)).collect())
}

fn problem(name: &str, is_set: &[&str]) -> Option<Problem> {
    // OpenTelemetry has more variables than are declared, some with similar names.
    if name.len() < MIN_LENGTH || name.starts_with("OTEL_") || SETTINGS.iter().any(|setting| setting.name == name) {
        return None;
    }
    // With both names set, the variable belongs to another program.
    let candidates = SETTINGS.iter().map(|setting| setting.name).filter(|known| !is_set.contains(known));
    let nearest = candidates
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= MAX_DISTANCE && known.len() >= MIN_LENGTH)
        .min()?
        .1;
    let sentence = format!("{name} is not a setting; did you mean {nearest}? Rename it, or remove it.");
    Some(Problem { variable: name.to_owned(), sentence })
}
