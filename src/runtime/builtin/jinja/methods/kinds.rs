//! `isalpha` and its like. Letters and digits are those of the standard library's Unicode tables.

use super::case::has_case;
use crate::runtime::builtin::{jinja::lexer::is_space, jinja::repr::is_printable};

pub(crate) fn holds(text: &str, name: &str) -> bool {
    let all = |holds: fn(char) -> bool| !text.is_empty() && text.chars().all(holds);
    match name {
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => text.is_ascii(),
        "isdecimal" => all(is_decimal),
        "isdigit" => all(|character| is_decimal(character) || is_script_digit(character)),
        "isnumeric" => all(char::is_numeric),
        "isidentifier" => {
            text.starts_with(|first: char| first == '_' || first.is_alphabetic())
                && text.chars().all(|character| character == '_' || character.is_alphanumeric())
        }
        "islower" => text.chars().any(has_case) && !text.chars().any(char::is_uppercase),
        "isupper" => text.chars().any(has_case) && !text.chars().any(char::is_lowercase),
        "isprintable" => text.chars().all(is_printable),
        "isspace" => all(is_space),
        _ => is_title(text),
    }
}

fn is_decimal(character: char) -> bool {
    character.is_ascii_digit() || (character.is_numeric() && !character.is_alphabetic() && decimal_block(character))
}

/// Decimal digits outside of ASCII that texts commonly have: Arabic, Devanagari, Bengali, Thai and full-width ones.
fn decimal_block(character: char) -> bool {
    ['\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{e50}', '\u{ff10}']
        .into_iter()
        .any(|zero| (u32::from(zero)..u32::from(zero) + 10).contains(&u32::from(character)))
}

fn is_script_digit(character: char) -> bool {
    matches!(character, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉' | '①'..='⑨')
}

fn is_title(text: &str) -> bool {
    let (mut found, mut follows_letter) = (false, false);
    for character in text.chars() {
        if character.is_uppercase() {
            if follows_letter {
                return false;
            }
            (found, follows_letter) = (true, true);
        } else if character.is_lowercase() {
            if !follows_letter {
                return false;
            }
            found = true;
        } else {
            follows_letter = false;
        }
    }
    found
}
