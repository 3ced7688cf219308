//! Email addresses, as they are typed.

use icu_normalizer::ComposingNormalizerBorrowed;

use super::text::is_unprintable;

/// The longest email address of an account (`accounts.email`), in characters.
const MAX_CHARACTERS: usize = 255;

/// Whether a text can be an email address: one `@` with text on both sides, without blanks or control characters.
pub(crate) fn is_email(text: &str) -> bool {
    let one_at = text.split('@').count() == 2 && !text.starts_with('@') && !text.ends_with('@');
    (3..=320).contains(&text.chars().count()) && one_at && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// An email address as it is stored: without blanks around it, in normalization form C, its domain in lower case. Fails
/// with the reason.
pub(crate) fn normalize_email(text: &str) -> Result<String, &'static str> {
    let composed = compose(text);
    match composed.rsplit_once('@') {
        Some((local, domain)) if is_email(&composed) && !composed.contains(is_unprintable) => {
            let email = format!("{local}@{}", domain.to_lowercase());
            if email.chars().count() > MAX_CHARACTERS {
                return Err("an email address has at most 255 characters");
            }
            Ok(email)
        }
        _ => Err("this is not an email address, such as ada@example.com"),
    }
}

/// An email address as accounts are found by it: also in lower case.
pub(crate) fn fold_email(text: &str) -> String {
    compose(text).to_lowercase()
}

fn compose(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text.trim()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses_are_trimmed_composed_and_have_a_lower_case_domain() {
        for (typed, stored) in [
            (" ada@example.com\n", "ada@example.com"),
            ("Ada@Example.COM", "Ada@example.com"),
            ("jose\u{301}@example.com", "jos\u{e9}@example.com"),
        ] {
            assert_eq!(normalize_email(typed).as_deref(), Ok(stored));
        }
    }

    #[test]
    fn other_texts_are_rejected() {
        let long = format!("{}@example.com", "a".repeat(250));
        for typed in ["", "ada", "@example.com", "ada@", "a@b@c", "a da@example.com", "ada\u{200b}@example.com", &long]
        {
            assert!(normalize_email(typed).is_err(), "{typed:?}");
        }
    }
}
