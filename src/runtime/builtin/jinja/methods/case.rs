//! Upper and lower case.

use crate::runtime::builtin::{jinja::error::Result, jinja::text::TextBuilder};

/// Appends a text in another case.
pub(crate) fn write(out: &mut TextBuilder<'_>, name: &str, text: &str) -> Result<()> {
    out.budget().read(text.len())?;
    match name {
        "lower" => out.push_str(&text.to_lowercase()),
        "upper" => out.push_str(&text.to_uppercase()),
        "casefold" => {
            for character in text.chars() {
                match character {
                    'ß' | 'ẞ' => out.push_str("ss")?,
                    'ς' => out.push('σ')?,
                    other => lower(out, other)?,
                }
            }
            Ok(())
        }
        "swapcase" => {
            for character in text.chars() {
                if character.is_uppercase() { lower(out, character)? } else { upper(out, character)? }
            }
            Ok(())
        }
        "capitalize" => {
            let mut characters = text.chars();
            if let Some(first) = characters.next() {
                upper(out, first)?;
            }
            out.push_str(&characters.as_str().to_lowercase())
        }
        _ => {
            let mut follows_letter = false;
            for character in text.chars() {
                if follows_letter {
                    lower(out, character)?;
                } else {
                    upper(out, character)?;
                }
                follows_letter = has_case(character);
            }
            Ok(())
        }
    }
}

fn lower(out: &mut TextBuilder<'_>, character: char) -> Result<()> {
    character.to_lowercase().try_for_each(|character| out.push(character))
}

fn upper(out: &mut TextBuilder<'_>, character: char) -> Result<()> {
    character.to_uppercase().try_for_each(|character| out.push(character))
}

pub(super) fn has_case(character: char) -> bool {
    character.is_uppercase() || character.is_lowercase()
}
