//! The texts of the pages, from one JSON file per language.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use minijinja::{Value, value::Serde};
use serde::Serialize;

use super::language::Language;
use crate::{
    domain::{Error, Result},
    http::answer::whole_seconds,
};

/// The texts of one language by key.
pub(super) struct Texts {
    by_key: BTreeMap<String, String>,
    value: Value,
}

impl Texts {
    pub(super) fn load(language: Language) -> Result<Self> {
        let by_key: BTreeMap<String, String> = serde_json::from_str(language.texts()).map_err(Error::internal)?;
        let value = Value::from(Serde(&by_key));
        Ok(Self { by_key, value })
    }

    /// The text of a key; the key itself when it has no text.
    pub(super) fn get(&self, key: &'static str) -> &str {
        self.by_key.get(key).map_or(key, String::as_str)
    }

    /// All texts, for templates.
    pub(super) fn value(&self) -> Value {
        self.value.clone()
    }

    /// The sentence that says when to try again; rounded up to seconds, minutes or hours.
    pub(super) fn retry_after(&self, wait: Duration) -> String {
        match whole_seconds(wait) {
            seconds @ ..=90 => fill(self.get("wait_seconds"), seconds),
            seconds @ ..=5_400 => fill(self.get("wait_minutes"), seconds.div_ceil(60)),
            seconds => fill(self.get("wait_hours"), seconds.div_ceil(3_600)),
        }
    }
}

/// Replaces the placeholder `{}` of a text.
pub(super) fn fill(text: &str, value: impl Display) -> String {
    text.replace("{}", &value.to_string())
}

/// A part of a sentence: words, or a value between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SentencePart {
    text: String,
    is_value: bool,
}

/// Puts values in the place of the placeholders of a text, such as `{client}`. A value is not read for placeholders.
pub(super) fn sentence(text: &str, values: &[(&str, &str)]) -> Vec<SentencePart> {
    let part = |text: &str, is_value| SentencePart { text: text.to_owned(), is_value };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((words, (name, after))) = rest.split_once('{').and_then(|(w, rest)| Some((w, rest.split_once('}')?)))
    {
        parts.push(part(words, false));
        parts.extend(values.iter().filter(|(known, _)| *known == name).map(|(_, value)| part(value, true)));
        rest = after;
    }
    parts.push(part(rest, false));
    parts.retain(|part| !part.text.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_have_the_same_keys_and_placeholders() {
        let [english, others @ ..] = Language::all().map(|language| Texts::load(language).expect("texts").by_key);
        let placeholders = |text: &str| {
            ["{}", "{client}", "{device}", "{account}"].map(|placeholder| text.matches(placeholder).count())
        };
        assert!(others.len() >= 3);
        for other in others {
            assert_eq!(english.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
            for (key, text) in &english {
                assert!(!text.is_empty() && !other[key].is_empty(), "{key}");
                assert_eq!(placeholders(text), placeholders(&other[key]), "{key}: {}", other[key]);
            }
        }
    }

    #[test]
    fn sentence_has_its_values_and_reads_no_placeholder_in_them() {
        let parts = sentence("{client} on {device}!", &[("client", "acme"), ("device", "{client}")]);
        let shown: Vec<_> = parts.iter().map(|part| (part.text.as_str(), part.is_value)).collect();
        assert_eq!(shown, [("acme", true), (" on ", false), ("{client}", true), ("!", false)]);
        assert_eq!(sentence("no value {", &[]).len(), 1);
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let texts = Texts::load(Language::default()).expect("texts");
        assert_eq!(texts.retry_after(Duration::from_millis(200)), "Try again in 1 s.");
        assert_eq!(texts.retry_after(Duration::from_millis(89_001)), "Try again in 90 s.");
        assert_eq!(texts.retry_after(Duration::from_secs(121)), "Try again in about 3 min.");
        assert_eq!(texts.retry_after(Duration::from_secs(86_000)), "Try again in about 24 h.");
    }
}
