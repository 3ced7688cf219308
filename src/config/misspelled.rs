//! Finds variables whose names are nearly those of settings, and variables of OpenTelemetry without an effect. Nothing
//! else would show that.

use super::{
    otel_variables,
    reader::{Problem, Problems},
    settings::SETTINGS,
};

/// Names shorter than this differ too little from each other.
const MIN_LENGTH: usize = 8;
/// Letters that a misspelled name has more, fewer, different or exchanged.
const MAX_DISTANCE: usize = 2;

/// A problem for each of the names that is not a setting but nearly the name of one that is not set, and for each
/// unknown `OTEL_` name if telemetry is exported.
pub(crate) fn misspelled(names: impl IntoIterator<Item = String>, exports_telemetry: bool) -> Problems {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    let is_set: Vec<_> = names.iter().map(String::as_str).collect();
    let problem = |name: &String| {
        if name.starts_with("OTEL_") {
            return problem_of_otel(name, &is_set, exports_telemetry);
        }
        let known = SETTINGS.iter().map(|setting| setting.name);
        nearest(name, known, &is_set).map(|known| similar(name, known))
    };
    Problems(names.iter().filter(|name| !is_setting(name)).filter_map(problem).collect())
}

fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name)
}

fn problem_of_otel(name: &str, is_set: &[&str], exports_telemetry: bool) -> Option<Problem> {
    if otel_variables::names().any(|known| known == name) || otel_variables::belongs_to_others(name) {
        return None;
    }
    let known = SETTINGS.iter().map(|setting| setting.name).chain(otel_variables::sdk_names());
    if let Some(known) = nearest(name, known, is_set) {
        return Some(similar(name, known));
    }
    let sentence = format!("{name} has no effect on this server; remove it.");
    exports_telemetry.then(|| Problem { variable: name.to_owned(), sentence })
}

/// The most similar of the known names. With both names set, the variable belongs to another program.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>, is_set: &[&str]) -> Option<&'a str> {
    if name.len() < MIN_LENGTH {
        return None;
    }
    known
        .filter(|known| known.len() >= MIN_LENGTH && !is_set.contains(known))
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, _)| *distance <= MAX_DISTANCE)
        .min()
        .map(|(_, known)| known)
}

fn similar(name: &str, known: &str) -> Problem {
    let sentence = format!("{name} is not a setting; did you mean {known}? Rename it, or remove it.");
    Problem { variable: name.to_owned(), sentence }
}
