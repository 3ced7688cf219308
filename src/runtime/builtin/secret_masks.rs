//! Masks the secrets of an app in the events that describe its nodes.
//!
//! An app's author decides what its outputs contain. Requests, prompts and errors, however, reach everybody who may
//! run the app, and no reader of them needs a secret.

use std::borrow::Cow;

use serde_json::Value;
use url::Url;

use super::json::JsonObject;

/// Replaces a secret.
pub(crate) const MASK: &str = "****";
/// Length in bytes of the shortest value that is masked: shorter ones are no secrets, and masking them would make
/// events unreadable.
const MIN_LENGTH: usize = 4;

/// The secrets of an app, in every encoding in which a request may carry them; longest first.
#[derive(Default)]
pub(crate) struct SecretMasks(Vec<String>);

impl SecretMasks {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut encodings: Vec<String> =
            secrets.into_iter().filter(|secret| secret.len() >= MIN_LENGTH).flat_map(encodings).collect();
        encodings.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        encodings.dedup();
        Self(encodings)
    }

    /// Returns the text with every secret masked.
    pub(crate) fn mask_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for encoding in &self.0 {
            if masked.contains(encoding.as_str()) {
                masked = masked.replace(encoding.as_str(), MASK).into();
            }
        }
        masked
    }

    /// Masks every text inside the object. Names of members stay as they are.
    pub(crate) fn mask_object(&self, object: &mut JsonObject) {
        if !self.0.is_empty() {
            object.values_mut().for_each(|value| self.mask_value(value));
        }
    }

    fn mask_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(masked) = self.mask_text(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::Object(object) => self.mask_object(object),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The secret as it is, and as it appears in JSON, in a form, and in the query and the path of a URL.
fn encodings(secret: &str) -> Vec<String> {
    let mut encodings = vec![secret.to_owned(), form_urlencoded::byte_serialize(secret.as_bytes()).collect()];
    encodings.extend(serde_json::to_string(secret).map(|quoted| quoted[1..quoted.len() - 1].to_owned()));
    if let Ok(mut url) = Url::parse("http://host/") {
        url.set_query(Some(secret));
        encodings.extend(url.query().map(str::to_owned));
        url.set_path(secret);
        encodings.push(url.path().trim_start_matches('/').to_owned());
    }
    // The URL parser shortens a path that consists of dots.
    encodings.retain(|encoding| encoding.len() >= MIN_LENGTH);
    encodings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secret_is_masked_in_every_encoding() {
        let masks = SecretMasks::new(["s3 cr\"et/ü", "abc"]);
        for text in ["x s3 cr\"et/ü y", r#"x s3 cr\"et/ü y"#, "x s3+cr%22et%2F%C3%BC y", "x s3%20cr%22et/%C3%BC y"] {
            assert_eq!(masks.mask_text(text), "x **** y");
        }
        assert_eq!(masks.mask_text("abc"), "abc");
    }

    #[test]
    fn texts_inside_lists_and_objects_are_masked() {
        let mut object = json!({"a": [{"b": "key: s3cret!"}], "n": 1}).as_object().cloned().unwrap();
        SecretMasks::new(["s3cret!"]).mask_object(&mut object);
        assert_eq!(Value::Object(object), json!({"a": [{"b": "key: ****"}], "n": 1}));
    }

    #[test]
    fn longer_secret_is_masked_before_its_part() {
        assert_eq!(SecretMasks::new(["1234", "12345678"]).mask_text("12345678 1234"), "**** ****");
    }
}
