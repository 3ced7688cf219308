//! The languages of the pages. A request's language comes from the language switch, else from the cookie that the
//! switch sets, else from `Accept-Language`.

use http::{HeaderMap, header::ACCEPT_LANGUAGE};

use crate::http::quality::weighted_members;

/// The query parameter of the language switch, and the base name of its cookie.
pub(super) const NAME: &str = "lang";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Language {
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// In the order of the language switch.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The language tag (BCP 47).
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// The name of the language in the language itself.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }

    /// The language of a tag; regions and scripts are ignored.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
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
