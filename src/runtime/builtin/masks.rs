//! Secrets of an app, kept out of what the events of a run tell of its nodes.
//!
//! What an app says with its outputs is its author's decision. Requests, prompts and errors on the way are told to everyone who
//! may run the app, and there a secret is of no use.

use std::borrow::Cow;

use serde_json::Value;
use url::Url;

use super::nodes::Members;

/// What stands in a secret's place.
pub(crate) const MASK: &str = "****";
/// Shorter values are nobody's secret, and without them events would be unreadable. In bytes.
const SHORTEST: usize = 4;

/// The secrets of an app, in every form that they take on their way into a request; longest first.
#[derive(Default)]
pub(crate) struct Masks(Vec<String>);

impl Masks {
    /// Of these values.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<String> =
            secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).flat_map(forms).collect();
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self(forms)
    }

    /// The text without them.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for form in &self.0 {
            if masked.contains(form.as_str()) {
                masked = masked.replace(form.as_str(), MASK).into();
            }
        }
        masked
    }

    /// Takes them out of every text in there.
    pub(crate) fn members(&self, members: &mut Members) {
        if !self.0.is_empty() {
            members.values_mut().for_each(|value| self.value(value));
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(masked) = self.text(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => self.members(members),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// As it is, and as JSON, a form, and the query and the path of a url hold it.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), form_urlencoded::byte_serialize(secret.as_bytes()).collect()];
    forms.extend(serde_json::to_string(secret).map(|quoted| quoted[1..quoted.len() - 1].to_owned()));
    if let Ok(mut url) = Url::parse("http://host/") {
        url.set_query(Some(secret));
        forms.extend(url.query().map(str::to_owned));
        url.set_path(secret);
        forms.push(url.path().trim_start_matches('/').to_owned());
    }
    // A path of nothing but dots is none.
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_masked_in_every_form() {
        let masks = Masks::new(["s3 cr\"et/ü", "abc"]);
        for told in ["x s3 cr\"et/ü y", r#"x s3 cr\"et/ü y"#, "x s3+cr%22et%2F%C3%BC y", "x s3%20cr%22et/%C3%BC y"] {
            assert_eq!(masks.text(told), "x **** y");
        }
        assert_eq!(masks.text("abc"), "abc");
    }

    #[test]
    fn texts_within_lists_and_objects_are_masked() {
        let mut members = json!({"a": [{"b": "key: s3cret!"}], "n": 1}).as_object().cloned().unwrap();
        Masks::new(["s3cret!"]).members(&mut members);
        assert_eq!(Value::Object(members), json!({"a": [{"b": "key: ****"}], "n": 1}));
    }

    #[test]
    fn where_one_secret_is_part_of_another_none_is_left() {
        assert_eq!(Masks::new(["1234", "12345678"]).text("12345678 1234"), "**** ****");
    }
}
