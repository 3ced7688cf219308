//! User codes: `XXXX-XXXX` over an alphabet without look-alikes (contract section 6).

use std::fmt;

use super::error::{Code, Error, Result};

/// The 30 characters of codes.
pub const ALPHABET: &[u8; 30] = b"3456789ABCDEFGHJKLMNPQRSTUVWXY";

/// Characters in a code, without the hyphen.
pub(crate) const LENGTH: usize = 8;

/// A user code in canonical form. An approval of it signs a device in, so it is shown on the page and sent to the
/// device, and printed nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode([u8; LENGTH]);

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(redacted)")
    }
}

impl UserCode {
    /// Makes a code from random bytes; `None` when too few of them are in the unbiased range.
    pub fn mint(entropy: &[u8]) -> Option<Self> {
        let unbiased = 240; // the largest multiple of 30 in a byte
        let mut symbols = entropy.iter().filter(|byte| **byte < unbiased).map(|byte| ALPHABET[usize::from(byte % 30)]);
        let mut code = [0; LENGTH];
        for slot in &mut code {
            *slot = symbols.next()?;
        }
        Some(Self(code))
    }

    /// Reads a typed code in either case, with any hyphens and spaces. Fails with `invalid_user_code`.
    pub fn parse(text: &str) -> Result<Self> {
        let malformed = || {
            Error::new(Code::InvalidUserCode, "That is not a valid code. Codes look like ABCD-EFGH.")
                .with_hint("Copy the code from your terminal.")
        };
        let mut code = [0; LENGTH];
        let mut length = 0;
        for symbol in text.trim().chars().filter(|c| !matches!(c, '-' | ' ')) {
            let symbol = u8::try_from(symbol.to_ascii_uppercase()).map_err(|_| malformed())?;
            if length == LENGTH || !ALPHABET.contains(&symbol) {
                return Err(malformed());
            }
            code[length] = symbol;
            length += 1;
        }
        if length == LENGTH { Ok(Self(code)) } else { Err(malformed()) }
    }

    /// The eight characters without hyphen, in upper case.
    pub fn canonical(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// `XXXX-XXXX`, for the device and the page.
    pub fn expose(&self) -> String {
        let text = |half: &[u8]| half.iter().map(|byte| char::from(*byte)).collect::<String>();
        format!("{}-{}", text(&self.0[..4]), text(&self.0[4..]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A second implementation of `parse`, with string functions.
    fn reference(text: &str) -> Option<String> {
        let text: String = text.trim().replace(['-', ' '], "");
        // Upper-casing is limited to ASCII: `ı` and `ſ` must not become `I` and `S`.
        let text: String = text.chars().map(|symbol| symbol.to_ascii_uppercase()).collect();
        let known = |symbol: char| "3456789ABCDEFGHJKLMNPQRSTUVWXY".contains(symbol);
        (text.chars().count() == 8 && text.chars().all(known)).then_some(text)
    }

    proptest! {
        #[test]
        fn typed_codes_are_read_with_any_case_and_spacing(code in "[3-9A-HJ-NP-Y]{8}", seed in any::<[u8; 32]>()) {
            // Each symbol in either case, with separators around it.
            let typed: String = code.char_indices().flat_map(|(at, symbol)| {
                let around = ["", " ", "-", " - "][usize::from(seed[at] % 4)];
                let symbol = if seed[at + 8] & 1 == 0 { symbol } else { symbol.to_ascii_lowercase() };
                around.chars().chain([symbol]).collect::<Vec<_>>()
            }).collect();
            let typed = format!("\t{typed} -\n");
            let read = UserCode::parse(&typed).unwrap();
            prop_assert_eq!(read.canonical().as_slice(), code.as_bytes());
        }

        #[test]
        fn parse_agrees_with_the_reference_on_any_text(text in "[3-9A-Za-z0-2 \\-\t\u{131}\u{17f}\u{a0}]{0,14}") {
            let read = UserCode::parse(&text).ok().map(|code| String::from_utf8(code.canonical().to_vec()).unwrap());
            prop_assert_eq!(read, reference(&text));
        }

        #[test]
        fn minted_codes_are_read_again(entropy in any::<[u8; 32]>()) {
            if let Some(code) = UserCode::mint(&entropy) {
                prop_assert_eq!(UserCode::parse(&code.expose()).unwrap(), code);
            }
        }
    }
}
