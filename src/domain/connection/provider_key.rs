//! The key of a provider: `organization/plugin/provider` (contract K1).

use std::{fmt, str::FromStr};

/// The organization and plugin prefix of a key that is a bare name.
const DEFAULT_ORGANIZATION: &str = "langgenius";
/// Longest part in bytes. The column of the whole key has 256 characters.
const MAX_PART: usize = 64;

/// The text is not the key of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a provider is `organization/plugin/provider`, each of a-z, 0-9, `_` and `-`; `x` means `langgenius/x/x`")]
pub struct ProviderKeyError;

/// The key of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderKey {
    organization: String,
    plugin: String,
    name: String,
}

impl ProviderKey {
    /// `organization/plugin`, as Dify stores it beside the provider's name.
    pub fn plugin_id(&self) -> String {
        format!("{}/{}", self.organization, self.plugin)
    }

    /// The name of the provider within its plugin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key from the segments of a path. Without organization and plugin, `name` is a bare name.
    pub fn from_segments(organization: &str, plugin: &str, name: &str) -> Result<Self, ProviderKeyError> {
        match (organization, plugin) {
            ("", "") => name.parse(),
            _ => Self::from_parts(organization, plugin, name),
        }
    }

    fn from_parts(organization: &str, plugin: &str, name: &str) -> Result<Self, ProviderKeyError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        let is_part = |part: &&str| (1..=MAX_PART).contains(&part.len()) && part.bytes().all(allowed);
        if ![organization, plugin, name].iter().all(is_part) {
            return Err(ProviderKeyError);
        }
        Ok(Self { organization: organization.to_owned(), plugin: plugin.to_owned(), name: name.to_owned() })
    }
}

impl FromStr for ProviderKey {
    type Err = ProviderKeyError;

    fn from_str(text: &str) -> Result<Self, ProviderKeyError> {
        let parts: Vec<_> = text.split('/').collect();
        match parts.as_slice() {
            [name] => Self::from_parts(DEFAULT_ORGANIZATION, name, name),
            [organization, plugin, name] => Self::from_parts(organization, plugin, name),
            _ => Err(ProviderKeyError),
        }
    }
}

impl fmt::Display for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.organization, self.plugin, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_name_is_of_langgenius() {
        let key: ProviderKey = "gmail".parse().unwrap();
        assert_eq!(key.to_string(), "langgenius/gmail/gmail");
        assert_eq!(key, "langgenius/gmail/gmail".parse().unwrap());
        assert_eq!((key.plugin_id().as_str(), key.name()), ("langgenius/gmail", "gmail"));
        assert_eq!(ProviderKey::from_segments("", "", "gmail"), Ok(key));
    }

    #[test]
    fn other_texts_are_rejected() {
        let long = "a".repeat(MAX_PART + 1);
        for text in ["", "a/b", "a/b/c/d", "A", "a//c", "../x/y", "a b", "é", &long] {
            assert_eq!(text.parse::<ProviderKey>(), Err(ProviderKeyError), "{text}");
        }
        assert_eq!(ProviderKey::from_segments("a", "", "c"), Err(ProviderKeyError));
    }
}
