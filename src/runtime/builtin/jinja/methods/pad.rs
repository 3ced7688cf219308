//! Methods that fill a text up to a width.

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, size, text},
    jinja::error::{Result, failed},
    jinja::markup::escape,
    jinja::text::{PyText, TextBuilder},
};

/// Appends a padded text.
pub(super) fn write(out: &mut TextBuilder<'_>, name: &str, receiver: &PyText, arguments: Arguments) -> Result<()> {
    match name {
        "expandtabs" => {
            let [width] = arguments.bind(name, ["tabsize"], 0)?;
            expand_tabs(out, receiver, size(width.as_ref(), 8)?)
        }
        "zfill" => {
            let [width] = arguments.bind(name, [""], 1)?;
            let missing = size(width.as_ref(), 0)?.saturating_sub(receiver.chars_count(out.budget())?);
            let sign = usize::from(receiver.starts_with(['+', '-']));
            out.push_str(&receiver[..sign])?;
            out.pad('0', missing)?;
            out.push_str(&receiver[sign..])
        }
        name => {
            let [width, fill] = arguments.bind(name, ["", ""], 1)?;
            let width = size(width.as_ref(), 0)?;
            let fill = match text(fill)? {
                None => ' ',
                Some(fill) => {
                    let mut escaped = TextBuilder::new(out.budget());
                    if receiver.markup {
                        escape(&mut escaped, &fill)?;
                    } else {
                        escaped.push_str(&fill)?;
                    }
                    let mut characters = escaped.as_str().chars();
                    let only = characters.next().filter(|_| characters.next().is_none());
                    only.ok_or_else(|| failed("The fill character must be exactly one character long"))?
                }
            };
            aligned(out, name, receiver, (width, fill))
        }
    }
}

/// Appends a text at the left, at the right or in the middle of a width.
pub(crate) fn aligned(
    out: &mut TextBuilder<'_>,
    name: &str,
    text: &PyText,
    (width, fill): (usize, char),
) -> Result<()> {
    let missing = width.saturating_sub(text.chars_count(out.budget())?);
    let before = match name {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2 + (missing & width & 1),
    };
    out.pad(fill, before)?;
    out.push_str(text)?;
    out.pad(fill, missing - before)
}

fn expand_tabs(out: &mut TextBuilder<'_>, text: &str, width: usize) -> Result<()> {
    let mut column = 0;
    for character in text.chars() {
        match character {
            '\t' if width > 0 => {
                let spaces = width - column % width;
                out.pad(' ', spaces)?;
                column += spaces;
            }
            '\t' => {}
            '\n' | '\r' => {
                out.push(character)?;
                column = 0;
            }
            _ => {
                out.push(character)?;
                column += 1;
            }
        }
    }
    Ok(())
}
