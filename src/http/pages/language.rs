//! The languages of the pages, and how one is chosen: the switch, then its cookie, then `Accept-Language`.

use std::collections::BTreeMap;

use http::{HeaderMap, header::ACCEPT_LANGUAGE};
use minijinja::{Value, value::Serde};

use crate::{
    domain::{Error, Result},
    http::quality::weighted_members,
};

/// The query parameter of the switch, and the base name of the cookie that remembers it.
pub(super) const NAME: &str = "lang";

/// A language the pages are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// All of them, as the switch lists them.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// Its tag, for the switch and for `lang`.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// What it calls itself.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::English => include_str!("texts/en.json"),
            Self::Chinese => include_str!("texts/zh.json"),
        }
    }

    /// The language of a tag; regions and scripts do not matter here.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    /// The one of ours that a browser likes best (RFC 9110 section 12.5.4); of equals the first.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for (tag, weight) in weighted_members(headers, &ACCEPT_LANGUAGE) {
            if let Some(language) = Self::of_tag(tag)
                && weight > best.map_or(0.0, |(known, _)| known)
            {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

/// The texts of one language.
pub(super) struct Texts {
    by_key: BTreeMap<String, String>,
    value: Value,
}

impl Texts {
    /// Reads a language's file.
    pub(super) fn read(language: Language) -> Result<Self> {
        let by_key: BTreeMap<String, String> = serde_json::from_str(language.source()).map_err(Error::internal)?;
        let value = Value::from(Serde(&by_key));
        Ok(Self { by_key, value })
    }

    /// A text; a key that is missing stands for itself.
    pub(super) fn get(&self, key: &'static str) -> &str {
        self.by_key.get(key).map_or(key, String::as_str)
    }

    /// All of them, for templates.
    pub(super) fn value(&self) -> Value {
        self.value.clone()
    }
}

/// Puts a value where a text says `{}`.
pub(super) fn fill(text: &str, value: impl std::fmt::Display) -> String {
    text.replace("{}", &value.to_string())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn both_languages_say_the_same_things() {
        let [english, chinese] = Language::ALL.map(|language| Texts::read(language).expect("texts").by_key);
        assert_eq!(english.keys().collect::<Vec<_>>(), chinese.keys().collect::<Vec<_>>());
        for (key, text) in &english {
            let blanks = |text: &str| text.matches("{}").count();
            assert!(!text.is_empty() && !chinese[key].is_empty(), "{key}");
            assert_eq!(blanks(text), blanks(&chinese[key]), "{key}");
        }
    }

    #[test]
    fn the_browsers_favourite_of_ours_is_chosen() {
        for (header, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Language::Chinese)),
            ("en-GB, zh;q=0.9", Some(Language::English)),
            ("fr, zh-Hans;q=0.5, en;q=0.4", Some(Language::Chinese)),
            ("en;q=0.1, zh;q=0.7", Some(Language::Chinese)),
            ("fr, de", None),
            ("zh;q=0", None),
            (";;q=,,", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(header));
            assert_eq!(Language::accepted(&headers), language, "{header}");
        }
    }
}
