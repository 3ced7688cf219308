//! Removes tokens from the text of events. Secret types cannot be printed; this covers tokens in texts that users
//! enter, such as device labels.

use std::borrow::Cow;

/// The prefixes of tokens, and the minimum number of characters after each.
const TOKEN_SHAPES: &[(&str, usize)] = &[("dfoa_", 43), ("dfoe_", 43), ("dc_", 32)];

/// Replaces tokens and device codes by their prefix and `***`.
pub(crate) fn scrub(text: &str) -> Cow<'_, str> {
    // Shorter than every token, as most values are.
    if text.len() < 35 {
        return Cow::Borrowed(text);
    }
    let mut clean: Option<String> = None;
    let mut rest = text;
    while let Some((start, prefix)) = find_token(rest) {
        let clean = clean.get_or_insert_default();
        clean.push_str(&rest[..start + prefix.len()]);
        clean.push_str("***");
        rest = rest[start + prefix.len()..].trim_start_matches(is_token_char);
    }
    match clean {
        None => Cow::Borrowed(text),
        Some(mut clean) => {
            clean.push_str(rest);
            Cow::Owned(clean)
        }
    }
}

fn is_token_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-' || character == '_'
}

fn find_token(text: &str) -> Option<(usize, &'static str)> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(offset) = bytes[from..].iter().position(|byte| *byte == b'_') {
        let end = from + offset + 1;
        for (prefix, min_length) in TOKEN_SHAPES {
            if bytes[..end].ends_with(prefix.as_bytes()) {
                let following = bytes[end..].iter().take_while(|byte| is_token_char(char::from(**byte))).count();
                if following >= *min_length {
                    return Some((end - prefix.len(), prefix));
                }
            }
        }
        from = end;
    }
    None
}
