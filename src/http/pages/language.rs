//! The languages of the pages. A request's language comes from the language switch, else from the cookie that the
//! switch sets, else from `Accept-Language`.

use http::{HeaderMap, header::ACCEPT_LANGUAGE};

use crate::http::quality::weighted_members;

/// The query parameter of the language switch, and the base name of its cookie.
pub(super) const NAME: &str = "lang";

/// The texts of one language.
#[derive(Clone, Copy)]
struct LanguageFile {
    /// The language tag (BCP 47), without a region.
    tag: &'static str,
    /// JSON text.
    texts: &'static str,
}

// `FILES`, by build.rs: a language is added with its file in `texts/`.
include!(concat!(env!("OUT_DIR"), "/languages.rs"));

/// A language, by its place in `FILES`. The first one, English, is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Language(usize);

impl Language {
    /// In the order of the language switch.
    pub(super) fn all() -> [Self; FILES.len()] {
        std::array::from_fn(Self)
    }

    /// The language tag (BCP 47).
    pub(super) const fn tag(self) -> &'static str {
        FILES[self.0].tag
    }

    /// The file with its texts.
    pub(super) const fn texts(self) -> &'static str {
        FILES[self.0].texts
    }

    /// The place in [`Self::all`].
    pub(super) const fn index(self) -> usize {
        self.0
    }

    /// The language of a tag; regions and scripts are ignored.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default().trim();
        Self::all().into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    /// The supported language with the highest weight (RFC 9110 section 12.5.4); the first of equal ones.
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

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn accepted_language_is_the_supported_one_with_the_highest_weight() {
        for (header, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some("zh")),
            ("en-GB, zh;q=0.9", Some("en")),
            ("fr, zh-Hans;q=0.5, en;q=0.4", Some("zh")),
            ("en;q=0.1, ja-JP;q=0.7", Some("ja")),
            ("de-AT", Some("de")),
            ("fr, pt", None),
            ("zh;q=0", None),
            (";;q=,,", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(header));
            assert_eq!(Language::accepted(&headers).map(Language::tag), language, "{header}");
        }
    }
}
