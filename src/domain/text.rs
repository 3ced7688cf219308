//! Characters in text from outside that hide text, reorder it, or leave nothing to see. One definition for the whole
//! service.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory},
};

/// Consecutive nonspacing marks at most (UTS #39 section 5.4). More of them cover the lines above and below.
const MAX_MARKS: usize = 4;

/// Why a text is not fit to be shown as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    #[error("may not contain control, invisible or text-direction characters")]
    Unprintable,
    #[error("may not have more than {MAX_MARKS} combining marks in a row")]
    TooManyMarks,
    #[error("must contain a visible character")]
    Invisible,
}

/// Whether a character hides text or changes its order: control and format characters (zero-width characters,
/// embeddings, overrides, isolates), line and paragraph separators, and everything that Unicode ignores by default.
pub(crate) fn is_unprintable(symbol: char) -> bool {
    if symbol.is_ascii() {
        return symbol.is_ascii_control();
    }
    let is_separator_or_format = matches!(
        category(symbol),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    is_separator_or_format || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(symbol)
}

/// A text that is shown as a name, on one line. Blanks around it and variation selectors, which only choose a glyph,
/// are removed; anything else that cannot be seen is an error, also at its ends. An empty text stays empty.
pub(crate) fn visible_name(text: &str) -> Result<String, TextError> {
    let text: String = text.chars().filter(|symbol| !is_variation_selector(*symbol)).collect();
    if text.contains(is_unprintable) {
        return Err(TextError::Unprintable);
    }
    let name = text.trim();
    if has_too_many_marks(name) {
        return Err(TextError::TooManyMarks);
    }
    if !name.is_empty() && !name.contains(is_visible) {
        return Err(TextError::Invisible);
    }
    Ok(name.to_owned())
}

fn category(symbol: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(symbol)
}

fn is_variation_selector(symbol: char) -> bool {
    matches!(symbol, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

fn is_nonspacing_mark(symbol: char) -> bool {
    !symbol.is_ascii() && matches!(category(symbol), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

/// Whether a character shows something by itself. U+2800 is a symbol without dots.
fn is_visible(symbol: char) -> bool {
    !symbol.is_whitespace() && !is_unprintable(symbol) && !is_nonspacing_mark(symbol) && symbol != '\u{2800}'
}

fn has_too_many_marks(text: &str) -> bool {
    let mut marks = 0;
    text.chars().any(|symbol| {
        marks = if is_nonspacing_mark(symbol) { marks + 1 } else { 0 };
        marks > MAX_MARKS
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_format_and_ignorable_characters_are_unprintable() {
        for symbol in [
            '\0',
            '\n',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{206f}',
            '\u{3164}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0fff}',
        ] {
            assert!(is_unprintable(symbol), "{symbol:?}");
        }
        for symbol in ['a', ' ', '\u{a0}', 'ä', '你', '\u{2010}', '\u{2027}', '\u{202f}', '😀', '\u{301}', 'ก'] {
            assert!(!is_unprintable(symbol), "{symbol:?}");
        }
    }

    #[test]
    fn name_is_trimmed_and_loses_variation_selectors() {
        for (text, name) in [
            ("  laptop of Ada ", "laptop of Ada"),
            ("笔记本", "笔记本"),
            ("❤\u{fe0f} desk", "❤ desk"),
            ("e\u{301}", "e\u{301}"),
            ("ที่นี่", "ที่นี่"),
            ("", ""),
            (" \u{3000}", ""),
        ] {
            assert_eq!(visible_name(text), Ok(name.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn name_that_cannot_be_seen_is_rejected() {
        for (text, error) in [
            ("laptop\n", TextError::Unprintable),
            ("\u{200b}", TextError::Unprintable),
            ("lap\u{e0041}top", TextError::Unprintable),
            ("\u{3164}", TextError::Unprintable),
            ("\u{2800}", TextError::Invisible),
            ("\u{301}\u{301}", TextError::Invisible),
            ("e\u{301}\u{302}\u{303}\u{304}\u{305}", TextError::TooManyMarks),
            ("x\u{20dd}\u{20dd}\u{20dd}\u{20dd}\u{20dd}", TextError::TooManyMarks),
        ] {
            assert_eq!(visible_name(text), Err(error), "{text:?}");
        }
        assert!(visible_name("e\u{301}\u{302}\u{303}\u{304}").is_ok(), "four marks are allowed");
    }

    proptest! {
        #[test]
        fn every_name_is_empty_or_visible(text in "\\PC{0,8}|.{0,40}") {
            if let Ok(name) = visible_name(&text) {
                prop_assert!(name.is_empty() || name.contains(is_visible));
                prop_assert!(!name.contains(is_unprintable));
                prop_assert_eq!(visible_name(&name), Ok(name));
            }
        }
    }
}
